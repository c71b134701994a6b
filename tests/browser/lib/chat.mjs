/** The chat of `examples/chat`, served by a broker with its settings, and what people do on its page. */

import assert from "node:assert/strict";
import { access } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";

import { Broker } from "./broker.mjs";
import { openPage } from "./browser.mjs";

const FOLDER = fileURLToPath(new URL("../../../examples/chat/", import.meta.url));

/** `settings`: beside those of the example. */
export async function serveChat(t, { settings = [], ...options } = {}) {
  await access(`${FOLDER}page/backsync.js`).catch(() => {
    throw new Error(`run ${FOLDER}build.sh`);
  });
  return Broker.start(t, { ...options, config: `${FOLDER}backsync.toml`, settings: [`server.public_dir=${FOLDER}page`, ...settings] });
}

export class ChatPage {
  /** Somebody of this name, with a browser of their own. */
  static async open(browser, url, name, options) {
    const chat = new ChatPage(await openPage(browser, url, options));
    await chat.page.fill("#name", name);
    await chat.page.press("#name", "Enter");
    await chat.isConnected();
    return chat;
  }

  constructor(page) {
    this.page = page;
  }

  /** Another tab of the same person. */
  async anotherTab() {
    const page = await this.page.context().newPage();
    await page.goto(this.page.url());
    const chat = new ChatPage(page);
    await chat.isConnected();
    return chat;
  }

  isConnected() {
    return this.page.waitForSelector('#light[data-state="online"]');
  }

  isAway() {
    return this.page.waitForSelector('#light[data-state="away"]');
  }

  async write(text) {
    await this.page.fill("#text", text);
    await this.page.press("#text", "Enter");
  }

  /** Make a room, or go into the one that is called so. */
  async enter(room) {
    await this.page.fill("#new-room-name", room);
    await this.page.press("#new-room-name", "Enter");
    await this.page.waitForFunction((wanted) => document.getElementById("room").textContent === wanted, room);
  }

  /** Until just these messages are shown, in this order. */
  shows(texts) {
    return this.#until(texts, () => [...document.querySelectorAll("#messages .text")].map(({ textContent }) => textContent));
  }

  /** Until none waits for the server. */
  isSent() {
    return this.page.waitForFunction(() => !document.querySelector(".message.waiting") && !/waiting/.test(document.getElementById("light-text").textContent));
  }

  /** Until these are here, by their names, oneself as "you". */
  hasPeople(names) {
    return this.#until(names, () => [...document.querySelectorAll("#people .name")].map(({ textContent }) => textContent));
  }

  saysTyping(text) {
    return this.#until(text, () => document.getElementById("typing").textContent);
  }

  /** Until the rooms are listed so: `{lobby: "", tea: "2"}`, by what was not read. */
  hasRooms(rooms) {
    return this.#until(rooms, () => {
      const unread = (link) => (link.querySelector(".badge").hidden ? "" : link.querySelector(".badge").textContent);
      return Object.fromEntries([...document.querySelectorAll("#rooms a")].map((link) => [link.querySelector(".name").textContent, unread(link)]));
    });
  }

  message(text) {
    return this.page.locator(".message", { hasText: text });
  }

  texts() {
    return this.page.locator("#messages .text").allTextContents();
  }

  /** Looked at from here: a page with a policy like this one's does not let text be run again and again. */
  async #until(wanted, look) {
    const until = Date.now() + 30_000;
    for (;;) {
      const shown = await this.page.evaluate(look);
      if (isDeepStrictEqual(shown, wanted)) return;
      if (Date.now() > until) assert.deepEqual(shown, wanted);
      await this.page.waitForTimeout(30);
    }
  }
}
