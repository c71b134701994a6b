/** The example chat in real Chromium: two browsers, a server that is killed, a network that goes. */

import assert from "node:assert/strict";
import { access } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { Broker } from "../../../tests/browser/lib/broker.mjs";
import { ofLostConnection, openBrowser, openPage } from "../../../tests/browser/lib/browser.mjs";
import { firstLine, start } from "../../../tests/browser/lib/processes.mjs";

const FOLDER = fileURLToPath(new URL("../../../examples/chat/", import.meta.url));

/** Serves the chat; resolves to its origin. */
async function serve(t) {
  await access(`${FOLDER}node_modules`).catch(() => assert.fail(`run \`npm ci\` in ${FOLDER}`));
  const server = start(t, process.execPath, ["serve.mjs", "0"], { cwd: FOLDER });
  return firstLine(server, server.child.stdout, (line) => /^chat: +(http:\S+)\/$/.exec(line)?.[1]);
}

/** `said(page, words)` resolves when these are the messages, `here(page, names)` when these people are. */
const said = (page, wanted) => holds(page, "#messages .words", wanted);
const here = (page, wanted) => holds(page, "#people li", wanted);
const holds = (page, selector, wanted) =>
  page.waitForFunction(([selector, text]) => JSON.stringify([...document.querySelectorAll(selector)].map((one) => one.textContent)) === text, [selector, JSON.stringify(wanted)], { polling: 20 });
const reads = (page, selector, wanted) => page.waitForFunction(([selector, text]) => document.querySelector(selector).textContent === text, [selector, wanted], { polling: 20 });

async function say(page, words) {
  await page.fill("#text", words);
  await page.press("#text", "Enter");
}

test("two talk, whatever happens to the server and the network", async (t) => {
  const origin = await serve(t);
  const broker = await Broker.start(t, { settings: [`server.allowed_origins=${origin}`, "models.User.ephemeral=true", "presence.linger_s=1"] });
  const browser = await openBrowser(t);
  const open = async (name, options) => {
    const page = await openPage(browser, `${origin}/?server=${encodeURIComponent(broker.url)}`, options);
    await page.fill("#name", name);
    await page.dispatchEvent("#name", "change");
    return page;
  };
  const phone = { viewport: { width: 360, height: 640 }, hasTouch: true, isMobile: true };
  const [ada, bob] = [await open("ada"), await open("bob", phone)];
  for (const page of [ada, bob]) await here(page, ["ada", "bob"]);

  await say(ada, "hello");
  await said(bob, ["hello"]);
  await bob.fill("#text", "hi");
  await bob.dispatchEvent("#text", "input");
  await reads(ada, "#typing", "bob is typing…");
  await bob.press("#text", "Enter");
  await said(ada, ["hello", "hi"]);
  await reads(ada, "#typing", "");
  assert.equal(await ada.locator(".act").count(), 2, "one's own alone are edited and deleted");
  await ada.click("text=edit");
  await ada.fill(".message input", "hello, bob");
  await ada.press(".message input", "Enter");
  await said(bob, ["hello, bob", "hi"]);
  await bob.click("text=delete");
  await said(ada, ["hello, bob"]);
  assert.ok(await bob.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "it fits a phone");

  await bob.fill("#other", "garden");
  await bob.press("#other", "Enter");
  await here(ada, ["ada"]);
  await say(bob, "roses");
  await said(bob, ["roses"]);
  await bob.goBack();
  await said(bob, ["hello, bob"]);
  await here(ada, ["ada", "bob"]);

  await broker.stop();
  await say(ada, "are you there?");
  await said(ada, ["hello, bob", "are you there?"]);
  await ada.waitForFunction(() => document.querySelector("#state").textContent.includes("1 waiting"));
  await broker.killAndRestart();
  await said(bob, ["hello, bob", "are you there?"]);
  for (const page of [ada, bob]) await here(page, ["ada", "bob"]);

  await bob.context().setOffline(true);
  await say(bob, "on a train");
  await say(ada, "still here");
  await bob.context().setOffline(false);
  for (const page of [ada, bob]) await page.waitForFunction(() => document.querySelectorAll("#messages .words").length === 4 && !document.querySelector(".waiting"));
  await bob.close();
  await here(ada, ["ada"]);
  assert.deepEqual(ada.troubles.filter((trouble) => !ofLostConnection(trouble)), []);
});
