/** Backbone with jQuery in real Chromium: the first sample, and ajax before the socket. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { clientOf } from "./lib/backbone.mjs";
import { FIRST_SAMPLE } from "./lib/first-sample.mjs";
import { ofLostConnection, pages } from "./lib/pages.mjs";

const shows = (page, wanted) => page.waitForFunction((text) => JSON.stringify(window.messages.pluck("text")) === text, JSON.stringify(wanted), { polling: 20 });

test("the sample of the first backsync runs in a page, in two of them", async (t) => {
  const { broker, open } = await pages(t, { store: "memory:" });
  const both = [await open("one", "/backbone"), await open("two", "/backbone")];
  for (const page of both) {
    await page.evaluate((url) => void backsync.backbone.attach(Backbone, backsync.connect(url), { global: true, api: `${url}/api` }), broker.url);
    await page.addScriptTag({ content: FIRST_SAMPLE });
    await page.evaluate(() => (window.messages = new window.Messages()).fetch().then(() => {}));
  }
  await both[0].evaluate(() => void window.messages.create({ text: "hello" }));
  await shows(both[1], ["hello"]);
  await both[1].evaluate(() => void window.messages.at(0).save({ text: "hello, world" }));
  await shows(both[0], ["hello, world"]);
  await both[0].evaluate(() => void window.messages.create({ text: "and you" }));
  await both[1].evaluate(() => void window.messages.at(0).destroy());
  for (const page of both) await shows(page, ["and you"]);
  for (const page of both) assert.deepEqual(page.troubles, []);
});

test("jQuery's ajax brings the page, and the socket what changed meanwhile, through a restart too", async (t) => {
  const { broker, open } = await pages(t);
  const somebody = clientOf(t, broker);
  await somebody.upsert("ChatMessage", [{ id: "a", text: "first" }, { id: "b", text: "second" }]);
  const page = await open("one", "/backbone");
  await page.evaluate((url) => {
    window.isUp = false;
    // Sockets that lead nowhere until they may.
    const Later = function (address, protocols) {
      return new WebSocket(window.isUp ? address : "ws://127.0.0.1:1/", protocols);
    };
    const client = backsync.connect(url, { WebSocket: Later, fetch: null, reconnect: { first: 20, longest: 100 } });
    window.attached = backsync.backbone.attach(Backbone, client, { api: `${url}/api`, sync: ["ajax", "socket", "subscribe", "set"] });
    const { Model, Collection } = window.attached;
    window.Message = Model.extend({ modelName: "ChatMessage" });
    window.messages = new (Collection.extend({ model: window.Message }))();
    window.said = [];
    window.messages.on("all", (event, model, value) => event.startsWith("updated:") && window.said.push([event, model.id, value]));
  }, broker.url);
  const before = await page.evaluate(async () => {
    await new Promise((resolve) => window.messages.fetch().done(resolve));
    await new Promise((resolve) => new window.Message({ text: "third", id: "c" }).save().done(resolve));
    await new Promise((resolve) => window.messages.get("b").save({ text: "2nd" }, { patch: true }).done(resolve));
    return [window.attached.connected(), window.messages.pluck("text")];
  });
  assert.deepEqual(before, [false, ["first", "2nd"]]);
  await somebody.upsert("ChatMessage", { id: "a", text: "1st" });
  await page.evaluate(() => (window.isUp = true));
  await shows(page, ["1st", "2nd", "third"]);
  await broker.killAndRestart();
  await somebody.upsert("ChatMessage", { id: "c", text: "3rd" });
  await page.waitForFunction(() => window.said.some(([, id]) => id === "c"));
  assert.deepEqual(await page.evaluate(() => window.said), [["updated:text", "a", "1st"], ["updated:text", "c", "3rd"]]);
  assert.deepEqual(page.troubles.filter((trouble) => !ofLostConnection(trouble)), []);
});
