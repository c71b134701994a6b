/** The chat: people who talk, come and go, while the server dies and the network is cut. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { ofLostConnection, openBrowser } from "./lib/browser.mjs";
import { ChatPage, serveChat } from "./lib/chat.mjs";
import { Proxy } from "./lib/proxy.mjs";

const NO_LINGER = ["presence.linger_s=0"];

async function two(t, options, url) {
  const broker = await serveChat(t, options);
  const browser = await openBrowser(t);
  const at = url ? await url(broker) : broker.url;
  const [ada, bob] = await Promise.all([ChatPage.open(browser, at, "Ada"), ChatPage.open(browser, broker.url, "Bob")]);
  return { broker, browser, ada, bob };
}

function isUntroubled(...chats) {
  for (const { page } of chats) assert.deepEqual(page.troubles.filter((trouble) => !ofLostConnection(trouble)), []);
}

test("two people talk, change what they said and take it back", async (t) => {
  const { ada, bob } = await two(t);
  await ada.write("hello, who is there?");
  await bob.shows(["hello, who is there?"]);
  await bob.write("only I");
  await ada.shows(["hello, who is there?", "only I"]);
  assert.equal(await ada.message("only I").locator(".actions").count(), 0, "what others wrote is theirs");

  await bob.message("only I").getByText("Edit").click();
  await bob.page.fill("#text", "it is I");
  await bob.page.press("#text", "Enter");
  await ada.shows(["hello, who is there?", "it is I"]);
  await ada.message("it is I").getByText("edited").waitFor();

  // The last of one's own, by the keyboard.
  await ada.page.press("#text", "ArrowUp");
  assert.equal(await ada.page.inputValue("#text"), "hello, who is there?");
  await ada.page.press("#text", "Escape");

  await ada.message("hello").getByText("Delete").click();
  await ada.message("hello").getByText("Really?").click();
  await Promise.all([ada, bob].map((chat) => chat.shows(["it is I"])));
  isUntroubled(ada, bob);
});

test("whatever is written is shown as text", async (t) => {
  const { ada, bob } = await two(t);
  const texts = ["<img src=x onerror=alert(1)>", "see (https://example.com/a_(b)?c=d), please", `${"long".repeat(600)}\nand two lines`, "👩‍👩‍👧‍👦🇨🇭", "שלום עולם", "\u202eevil\u202c"];
  for (const text of texts) await ada.write(text);
  await bob.shows(texts);
  assert.equal(await bob.page.getAttribute("#messages a", "href"), "https://example.com/a_(b)?c=d");
  assert.ok(await bob.message("👩‍👩‍👧‍👦🇨🇭").evaluate((element) => element.classList.contains("emoji")));
  assert.ok(await bob.page.evaluate(() => document.getElementById("scroller").scrollWidth <= innerWidth));
  isUntroubled(ada, bob);
});

test("what is no message of this page does it no harm", async (t) => {
  const { broker, ada } = await two(t);
  const put = (model, id, record) => fetch(`${broker.url}/api/${model}/${id}`, { method: "PUT", body: JSON.stringify(record), headers: { "content-type": "application/json" } });
  const strange = [{ at: 1 }, { at: 9e15, text: 7, name: null, from: {} }, { at: "now", text: "never" }, { text: "timeless" }];
  for (const [n, record] of strange.entries()) assert.equal((await put("ChatMessage", `strange-${n}`, { room: "lobby", ...record })).status, 201);
  assert.equal((await put("Room", "no-name", { name: { a: 1 } })).status, 201);
  await ada.shows(["", "7"]);
  await ada.write("still here");
  await ada.shows(["", "still here", "7"]);
  isUntroubled(ada);
});

test("an answer stands behind what it answers, also where a clock is ahead", async (t) => {
  const { broker, ada, bob } = await two(t);
  const early = { room: "lobby", from: "x", name: "Xenia", text: "is it noon?", at: Date.now() + 60_000 };
  await fill(broker, [early]);
  await ada.shows(["is it noon?"]);
  await ada.write("not yet");
  await bob.shows(["is it noon?", "not yet"]);
  await bob.write("soon");
  await Promise.all([ada, bob].map((chat) => chat.shows(["is it noon?", "not yet", "soon"])));
});

test("people are here while a page of theirs is, and once", async (t) => {
  const { browser, broker, ada, bob } = await two(t, { settings: NO_LINGER });
  await Promise.all([ada.hasPeople(["Bob", "you"]), bob.hasPeople(["Ada", "you"])]);
  const another = await bob.anotherTab();
  await another.hasPeople(["Ada", "you"]);
  await bob.enter("tea");
  await ada.hasPeople(["Bob", "you"]);
  await another.page.close();
  await ada.hasPeople(["you"]);
  await bob.page.context().close();
  const eve = await ChatPage.open(browser, broker.url, "Eve");
  await ada.hasPeople(["Eve", "you"]);
  await ada.page.click("#me");
  await ada.page.fill("#name", "Ada Lovelace");
  await ada.page.press("#name", "Enter");
  await eve.hasPeople(["Ada Lovelace", "you"]);
  isUntroubled(ada, eve);
});

test("typing is told while somebody does, and ends when it is sent, deleted or left", async (t) => {
  const { ada, bob } = await two(t, { settings: NO_LINGER });
  await bob.page.locator("#text").pressSequentially("so");
  await ada.saysTyping("Bob is typing");
  await bob.saysTyping("");
  await bob.page.press("#text", "Enter");
  await ada.shows(["so"]);
  await ada.saysTyping("");
  await bob.page.fill("#text", "well");
  await ada.saysTyping("Bob is typing");
  await bob.page.fill("#text", "");
  await ada.saysTyping("");
  await bob.page.fill("#text", "hm");
  await ada.saysTyping("Bob is typing");
  // Nobody says that it is over.
  await ada.saysTyping("");
  await bob.page.fill("#text", "then");
  await ada.saysTyping("Bob is typing");
  await bob.page.context().close();
  await ada.saysTyping("");
});

test("rooms count what was not read, and drafts stay in them", async (t) => {
  const { ada, bob } = await two(t);
  await bob.enter("Tea & cake");
  await ada.hasRooms({ lobby: "", "Tea & cake": "" });
  await bob.write("one lump");
  await bob.write("or two?");
  await ada.hasRooms({ lobby: "", "Tea & cake": "2" });
  assert.match(await ada.page.title(), /^\(2\) lobby/);
  await ada.page.fill("#text", "not yet");
  await ada.page.click("#rooms a:has-text('Tea')");
  await ada.shows(["one lump", "or two?"]);
  await ada.hasRooms({ lobby: "", "Tea & cake": "" });
  assert.equal(await ada.page.inputValue("#text"), "");
  await ada.page.click("#rooms a:has-text('lobby')");
  await ada.shows([]);
  assert.equal(await ada.page.inputValue("#text"), "not yet");
  await bob.write("well?");
  await ada.hasRooms({ lobby: "", "Tea & cake": "1" });
  // Somebody who comes back knows what they had read.
  await ada.page.reload();
  await ada.hasRooms({ lobby: "", "Tea & cake": "1" });
  isUntroubled(ada, bob);
});

test("a server that is killed comes back under people who write", async (t) => {
  const { broker, ada, bob } = await two(t);
  const said = [];
  for (let round = 0; round < 3; round++) {
    await ada.write(`ada ${round} before`);
    const restarted = broker.killAndRestart();
    await ada.write(`ada ${round} meanwhile`);
    await bob.write(`bob ${round} meanwhile`);
    await restarted;
    said.push(`ada ${round} before`, `ada ${round} meanwhile`, `bob ${round} meanwhile`);
    await Promise.all([ada, bob].map(async (chat) => {
      await chat.isConnected();
      await chat.isSent();
    }));
    await ada.shows(await shown(bob, said.length));
  }
  assert.deepEqual((await ada.texts()).sort(), [...said].sort());
  assert.deepEqual((await broker.records("ChatMessage")).map(({ text }) => text).sort(), said.sort());
  await Promise.all([ada.hasPeople(["Bob", "you"]), bob.hasPeople(["Ada", "you"])]);
  isUntroubled(ada, bob);
});

test("people are here again after a server that forgot them", async (t) => {
  const { broker, ada, bob } = await two(t, { store: "memory:" });
  await ada.hasPeople(["Bob", "you"]);
  await broker.killAndRestart();
  await Promise.all([ada.isConnected(), bob.isConnected()]);
  await Promise.all([ada.hasPeople(["Bob", "you"]), bob.hasPeople(["Ada", "you"])]);
});

test("what is written while the network is cut waits, and is there once", async (t) => {
  let network;
  const { broker, ada, bob } = await two(t, { settings: NO_LINGER }, async (broker) => (network = await Proxy.before(t, broker)).url);
  await ada.write("before");
  await bob.shows(["before"]);
  network.cut();
  await ada.isAway();
  await bob.hasPeople(["you"]);
  await ada.write("on a train");
  await ada.write("in a tunnel");
  await ada.message("train").getByText("waiting").waitFor();
  await ada.message("before").getByText("Edit").click();
  await ada.page.fill("#text", "long before");
  await ada.page.press("#text", "Enter");
  await ada.shows(["long before", "on a train", "in a tunnel"]);
  await ada.page.getByText("3 waiting").waitFor();
  await bob.write("are you there?");

  network.mend();
  await ada.isConnected();
  await ada.isSent();
  const all = ["long before", "on a train", "in a tunnel", "are you there?"];
  await Promise.all([ada, bob].map((chat) => chat.shows(all)));
  await Promise.all([ada.hasPeople(["Bob", "you"]), bob.hasPeople(["Ada", "you"])]);
  assert.equal((await broker.records("ChatMessage")).length, all.length);
  isUntroubled(ada, bob);
});

test("an edit of what was deleted meanwhile is told to be undone", async (t) => {
  let network;
  const { broker, ada, bob } = await two(t, {}, async (broker) => (network = await Proxy.before(t, broker)).url);
  await ada.write("before");
  await bob.shows(["before"]);
  network.cut();
  await ada.isAway();
  await ada.message("before").getByText("Edit").click();
  await ada.page.fill("#text", "much too late");
  await ada.page.press("#text", "Enter");
  await ada.shows(["much too late"]);
  const [{ id }] = await broker.records("ChatMessage");
  assert.ok((await fetch(`${broker.url}/api/ChatMessage/${id}`, { method: "DELETE" })).ok);
  network.mend();
  await ada.page.getByText(/^Not done: .*“much too late”/).waitFor();
  await ada.shows([]);
  await ada.page.reload();
  await ada.page.getByText("Forget it").click();
  await ada.page.waitForSelector("#notice", { state: "hidden" });
  assert.deepEqual(await broker.records("ChatMessage"), []);
});

test("a page that is opened without a connection shows what it had, and sends what was written on it", async (t) => {
  let network;
  const { ada, bob } = await two(t, {}, async (broker) => (network = await Proxy.before(t, broker)).url);
  await ada.write("before");
  await bob.shows(["before"]);
  // All files are kept at once.
  while (!(await ada.page.evaluate(async () => navigator.serviceWorker.controller && Boolean(await caches.match("/"))))) await ada.page.waitForTimeout(30);
  network.cut();
  await ada.write("in the dark");
  await ada.message("dark").getByText("waiting").waitFor();
  await ada.page.reload();
  await ada.shows(["before", "in the dark"]);
  await ada.write("still");
  network.mend();
  await bob.shows(["before", "in the dark", "still"]);
  await ada.isSent();
});

test("two tabs of one person are one", async (t) => {
  const { ada, bob } = await two(t);
  const another = await ada.anotherTab();
  await ada.write("from one");
  await another.write("from another");
  await Promise.all([ada, another, bob].map((chat) => chat.shows(["from one", "from another"])));
  await another.message("from one").getByText("Edit").click();
  await another.page.fill("#text", "from either");
  await another.page.press("#text", "Enter");
  await Promise.all([ada, another, bob].map((chat) => chat.shows(["from either", "from another"])));
  // What one writes oneself is read.
  await another.enter("Tea");
  await another.write("alone here");
  await another.isSent();
  await bob.hasRooms({ lobby: "", Tea: "1" });
  await ada.hasRooms({ lobby: "", Tea: "" });
});

test("what was said long ago is read when one looks for it, and stays in its place", async (t) => {
  const broker = await serveChat(t);
  const lines = Array.from({ length: 330 }, (_, n) => ({ id: `m${n}`, room: "lobby", from: "x", name: "Xenia", text: `line ${n}`, at: 1_700_000_000_000 + n * 60_000 }));
  await fill(broker, lines);
  const ada = await ChatPage.open(await openBrowser(t), broker.url, "Ada");
  await ada.message("line 329").waitFor();
  assert.ok((await ada.texts()).length <= 150, "not everything at once");
  for (let pages = 0; (await ada.page.textContent("#top")) !== "Here it began."; pages++) {
    assert.ok(pages < 20);
    const first = await ada.page.evaluate(() => {
      const scroller = document.getElementById("scroller");
      scroller.scrollTop = 0;
      const element = scroller.querySelector(".message");
      return { id: element.dataset.id, top: element.getBoundingClientRect().top };
    });
    await ada.page.waitForFunction((id) => document.querySelector(".message").dataset.id !== id || document.getElementById("top").textContent === "Here it began.", first.id);
    const top = await ada.page.evaluate((id) => document.querySelector(`[data-id="${id}"]`).getBoundingClientRect().top, first.id);
    assert.ok(Math.abs(top - first.top) < 2, `${first.id} went from ${first.top} to ${top}`);
  }
  await ada.shows(lines.map(({ text }) => text));
  // What is far up is live too.
  await fetch(`${broker.url}/api/ChatMessage/m3`, { method: "DELETE" });
  await ada.shows(lines.filter(({ id }) => id !== "m3").map(({ text }) => text));
  assert.ok(await ada.page.isHidden("#end"));
  await fetch(`${broker.url}/api/ChatMessage/new`, { method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify({ ...lines[0], id: "new", text: "news", at: Date.now() }) });
  await ada.page.click("#end");
  assert.ok(await ada.message("news").isVisible());
  isUntroubled(ada);

  // A room in which much is said does not grow from visit to visit.
  const now = Date.now();
  await fill(broker, Array.from({ length: 230 }, (_, n) => ({ ...lines[0], id: `n${n}`, text: `more ${n}`, at: now + n })));
  const begin = () => ada.page.evaluate(() => localStorage.getItem("chat:from:lobby"));
  const before = await begin();
  await ada.message("more 229").waitFor();
  await ada.page.reload();
  while ((await begin()) === before) await ada.page.waitForTimeout(30);
  await ada.page.reload();
  await ada.message("more 229").waitFor();
  assert.ok((await ada.texts()).length <= 150);
});

async function shown(chat, count) {
  await chat.page.waitForFunction((wanted) => document.querySelectorAll("#messages .text").length === wanted, count);
  return chat.texts();
}

async function fill(broker, messages) {
  const body = messages.map((message) => JSON.stringify(message)).join("\n");
  const filled = await fetch(`${broker.url}/api/ChatMessage`, { method: "POST", headers: { "content-type": "application/x-ndjson" }, body });
  assert.ok(filled.ok, await filled.text());
}
