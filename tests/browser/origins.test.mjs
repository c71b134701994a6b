/** Pages of other origins are served where they are listed, and nowhere else. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Broker } from "./lib/broker.mjs";
import { openBrowser, openPage } from "./lib/browser.mjs";
import { serveExample } from "./lib/example.mjs";

/** What becomes of a WebSocket, a SockJS connection and a plain request that a page of this origin makes. */
async function tries(browser, origin, broker) {
  const page = await openPage(browser, `${origin}/?server=${encodeURIComponent(broker.url)}`);
  await page.waitForFunction(() => window.logConsole);
  const outcome = await page.evaluate(async (url) => {
    const opens = (socket) =>
      new Promise((resolve) => {
        socket.onopen = () => resolve(true);
        socket.onclose = () => resolve(false);
      });
    const answers = (path) => fetch(url + path).then((response) => response.ok, () => false);
    return {
      ws: await opens(new WebSocket(`${url.replace("http", "ws")}/ws`)),
      sockjs: await opens(new window.SockJS(`${url}/backsync`)),
      info: await answers("/backsync/info"),
    };
  }, broker.url);
  return { page, outcome };
}

test("a page of an origin that is not listed is refused, a listed one is served", async (t) => {
  const [listed, stranger] = await Promise.all([serveExample(t), serveExample(t)]);
  const broker = await Broker.start(t, { settings: [`server.allowed_origins=${listed}`] });
  const browser = await openBrowser(t);

  const served = await tries(browser, listed, broker);
  assert.deepEqual(served.outcome, { ws: true, sockjs: true, info: true });
  await served.page.waitForFunction(() => window.logConsole.connection.phase === "connected");
  assert.deepEqual(served.page.troubles, []);

  const refused = await tries(browser, stranger, broker);
  assert.deepEqual(refused.outcome, { ws: false, sockjs: false, info: false });
  assert.notEqual(await refused.page.evaluate(() => window.logConsole.connection.phase), "connected");
  assert.notEqual(await refused.page.locator("#light-text").textContent(), "connected");
});

test("without settings a page of another port is refused", async (t) => {
  const origin = await serveExample(t);
  const broker = await Broker.start(t);
  const browser = await openBrowser(t);
  const { outcome } = await tries(browser, origin, broker);
  assert.deepEqual(outcome, { ws: false, sockjs: false, info: false });
});
