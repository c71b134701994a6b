/**
 * Takes the picture of the console for the documentation: `node screenshot.mjs [file] [port]`.
 *
 * Runs for a minute: the curve of lines a second is drawn from what really came.
 */

import { fileURLToPath } from "node:url";

import { Broker } from "./lib/broker.mjs";
import { openBrowser } from "./lib/browser.mjs";
import { once } from "./lib/cleanup.mjs";
import { ConsolePage } from "./lib/console.mjs";
import { serviceLog } from "./lib/service-log.mjs";

const file = process.argv[2] ?? fileURLToPath(new URL("../../docs/console.png", import.meta.url));
// The usual port, so that the picture shows the command in its usual form.
const address = `127.0.0.1:${process.argv[3] ?? 9000}`;

const SECONDS = 62;
const TICK_MS = 17;

await once(take);

async function take(t) {
  const broker = await Broker.start(t, { address });
  const browser = await openBrowser(t);
  const console = await ConsolePage.open(browser, broker, "Log", { viewport: { width: 1280, height: 800 }, colorScheme: "dark" });
  await console.settled();

  const pipe = broker.pipe("Log");
  const lines = serviceLog(9);
  // What was there before anybody looked.
  for (let n = 0; n < 12_000; n++) pipe.child.stdin.write(`${lines.next().value}\n`);
  let due = 0;
  for (let tick = 0; tick < (SECONDS * 1000) / TICK_MS; tick++) {
    due += linesPerSecond(tick * TICK_MS / 1000) * TICK_MS / 1000;
    for (; due >= 1; due--) pipe.child.stdin.write(`${lines.next().value}\n`);
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  pipe.child.stdin.end();
  await pipe.ended;
  await console.settled();
  await console.page.screenshot({ path: file });
}

/** A quiet site with waves, and a rush now and then. */
function linesPerSecond(second) {
  const rush = [14, 33, 51].reduce((sum, at) => sum + Math.exp(-((second - at) ** 2) / 5), 0);
  return 26 + 9 * Math.sin(second / 3.1) + 5 * Math.sin(second * 1.7) + 70 * rush;
}
