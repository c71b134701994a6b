/** The Backbone example, served by its own server, and what is asked of its page. */

import { access } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { fingerprint } from "./fingerprint.mjs";
import { openPage } from "./browser.mjs";
import { firstLine, start } from "./processes.mjs";

const FOLDER = fileURLToPath(new URL("../../../examples/log-console/", import.meta.url));

/** Serves the example on a free port; returns its origin. */
export async function serveExample(t) {
  await access(`${FOLDER}node_modules`).catch(() => {
    throw new Error(`run \`npm ci\` in ${FOLDER}`);
  });
  const server = start(t, process.execPath, ["serve.mjs", "0"], { cwd: FOLDER });
  return firstLine(server, server.child.stdout, (line) => /^log console: (http:\S+)\/$/.exec(line)?.[1]);
}

/** The example's page on a model of the broker. */
export class ExamplePage {
  static async open(browser, origin, broker, model = "Log") {
    const page = await openPage(browser, `${origin}/?model=${model}&server=${encodeURIComponent(broker.url)}`);
    await page.waitForFunction(() => window.logConsole);
    return new ExamplePage(page);
  }

  constructor(page) {
    this.page = page;
  }

  phaseIs(phase) {
    return this.page.waitForFunction((wanted) => window.logConsole.connection.phase === wanted, phase);
  }

  /** Until the light is on and the collection is read, as a user sees it. */
  isRead() {
    return this.page.waitForFunction(() => /line/.test(document.getElementById("count").textContent));
  }

  count() {
    return this.page.evaluate(() => window.logConsole.logs.length);
  }

  has(count, { polling = 100 } = {}) {
    return this.page.waitForFunction((wanted) => window.logConsole.logs.length >= wanted, count, { timeout: 120_000, polling });
  }

  /** Of what the Backbone collection holds, in its order. */
  fingerprint() {
    return this.page.evaluate(`(${fingerprint})(window.logConsole.logs.map((log) => log.attributes))`);
  }
}
