/** The server's own console, through the hook it has for tests. */

import { openPage } from "./browser.mjs";
import { fingerprint } from "./fingerprint.mjs";

export class ConsolePage {
  /** Without a model as on a first visit. */
  static async open(browser, broker, model, options) {
    const page = await openPage(browser, `${broker.url}/${model ? `?model=${model}` : ""}`, options);
    await page.waitForFunction(() => window.backsyncConsole);
    return new ConsolePage(page);
  }

  constructor(page) {
    this.page = page;
  }

  state() {
    return this.page.evaluate(() => window.backsyncConsole.state());
  }

  /** Nothing waits any more; the state then. */
  settled() {
    return this.page.evaluate(() => window.backsyncConsole.settled());
  }

  /** Until the state has these members; the state then. */
  async stateHas(members, { timeout = 120_000 } = {}) {
    const holds = (wanted) => {
      const state = window.backsyncConsole.state();
      return Object.entries(wanted).every(([name, value]) => state[name] === value);
    };
    await this.page.waitForFunction(holds, members, { timeout, polling: 50 });
    return this.state();
  }

  /** Until some record shown has a message that contains `text`. */
  shows(text) {
    const has = (wanted) => window.backsyncConsole.records().some((record) => String(record.message).includes(wanted));
    return this.page.waitForFunction(has, text, { polling: 50 });
  }

  messages() {
    return this.page.evaluate(() => window.backsyncConsole.records().map((record) => record.message));
  }

  fingerprint() {
    return this.page.evaluate(`(${fingerprint})(window.backsyncConsole.records())`);
  }
}
