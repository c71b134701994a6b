/** What a page writes through Backbone, another page and the command line hear. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Broker } from "./lib/broker.mjs";
import { openBrowser } from "./lib/browser.mjs";
import { ExamplePage, serveExample } from "./lib/example.mjs";

async function twoPages(t) {
  const origin = await serveExample(t);
  const broker = await Broker.start(t, { settings: [`server.allowed_origins=${origin}`] });
  const browser = await openBrowser(t);
  const [one, other] = await Promise.all([ExamplePage.open(browser, origin, broker), ExamplePage.open(browser, origin, broker)]);
  await Promise.all([one.isRead(), other.isRead()]);
  return { broker, one: one.page, other: other.page };
}

/** Until the only record of the page is this, or none where it is null. */
const holds = (page, message) =>
  page.waitForFunction((wanted) => {
    const messages = window.logConsole.logs.pluck("message");
    return wanted === null ? messages.length === 0 : messages.length === 1 && messages[0] === wanted;
  }, message);

test("save, patch and destroy reach another page and the command line", async (t) => {
  const { broker, one, other } = await twoPages(t);
  const tail = broker.follow("Log");
  await one.evaluate(() => new Promise((success, error) => window.logConsole.logs.create({ message: "first" }, { success, error })).then(() => {}));
  const { data: first } = await tail.next(({ data }) => data.message === "first");
  await holds(other, "first");
  await holds(one, "first");

  await other.evaluate((id) => window.logConsole.logs.get(id).save({ message: "changed 🎉", level: "warn" }).then(() => {}), first.id);
  const { data: changed } = await tail.next(({ data }) => data.message === "changed 🎉");
  assert.deepEqual([changed.id, changed.level], [first.id, "warn"]);
  await holds(one, "changed 🎉");

  await one.evaluate((id) => window.logConsole.logs.get(id).save({ message: "patched" }, { patch: true }).then(() => {}), first.id);
  const { data: patched } = await tail.next(({ data }) => data.message === "patched");
  assert.equal(patched.level, "warn");
  await holds(other, "patched");

  // What was unset is gone for everybody, since an update is the whole record.
  await one.evaluate((id) => window.logConsole.logs.get(id).unset("level").save({ message: "bare" }).then(() => {}), first.id);
  const { data: bare } = await tail.next(({ data }) => data.message === "bare");
  assert.equal("level" in bare, false);

  await other.evaluate((id) => window.logConsole.logs.get(id).destroy().then(() => {}), first.id);
  const gone = await tail.next(({ event }) => event === "Log:delete");
  assert.equal(gone.data.id, first.id);
  await holds(one, null);
  await holds(other, null);
  assert.deepEqual(await broker.records("Log"), []);
  assert.deepEqual([one.troubles, other.troubles], [[], []]);
});

test("a line typed into the page is on the other page, and is deleted from its dialog", async (t) => {
  const { broker, one, other } = await twoPages(t);
  await one.selectOption("#level", "error");
  await one.fill("#text", "disk full <b>not bold</b>");
  await one.press("#text", "Enter");
  const row = other.locator(".row[data-level=error]");
  await row.waitFor();
  assert.equal(await row.locator(".message").textContent(), "disk full <b>not bold</b>");
  assert.equal(await other.locator("#count").textContent(), "1 line");
  await row.click();
  assert.match(await other.locator("#entry pre").textContent(), /"message": "disk full <b>not bold<\/b>"/);
  await other.click("[data-delete]");
  await holds(one, null);
  assert.deepEqual(await broker.records("Log"), []);
  assert.deepEqual([one.troubles, other.troubles], [[], []]);
});

test("the first backsync's own sample runs as it stands, and hears what others write without a fetch", async (t) => {
  const { broker, one, other } = await twoPages(t);
  const sample = () => {
    const { Backbone } = window;
    var Message = Backbone.Model.extend({
         urlRoot : 'ChatMessage',
    });

    var Messages = Backbone.Collection.extend({
        url    : 'ChatMessage',
        model  : Message,

        initialize: function (model) {
            this.syncBind('upsert', this.serverUpsert, this);
            this.syncBind('delete', this.serverDelete, this);
        },

        serverUpsert: function(data) {
            var m = this.get(data.id);
            if (m) {
                m.set(data);
            } else {
                this.add(data);
            }
        },

        serverDelete: function(data) {
            var m = this.get(data.id);
            if (m)
                this.remove(m);
        }
    });
    window.messages = new Messages();
    // Whatever reply comes after the one to `syncBind`'s own request: from then on it listens.
    return window.logConsole.connection.request("ChatMessage:subscribe").then(() => {});
  };
  await Promise.all([one.evaluate(sample), other.evaluate(sample)]);
  const texts = (page, wanted) => page.waitForFunction((texts) => window.messages.pluck("text").join() === texts, wanted);

  await one.evaluate(() => window.messages.create({ text: "hello" }));
  await texts(other, "hello");
  await other.evaluate(() => window.messages.at(0).save({ text: "hello to you" }).then(() => {}));
  await texts(one, "hello to you");
  // After the server was away too.
  await broker.killAndRestart();
  await one.evaluate(() => window.messages.create({ text: "again" }).id);
  await texts(one, "hello to you,again");
  await other.waitForFunction(() => window.logConsole.connection.phase === "connected");
  await other.evaluate(() => window.messages.fetch().then(() => {}));
  await texts(other, "hello to you,again");
  await one.evaluate(() => window.messages.at(0).destroy().then(() => {}));
  await texts(other, "again");
  assert.equal((await broker.records("ChatMessage")).length, 1);
});

test("the callback is told what the server refuses, and that a record is not there", async (t) => {
  const { one } = await twoPages(t);
  const errors = await one.evaluate(async () => {
    const { Backbone, logConsole } = window;
    const errorOf = (act) => new Promise((resolve) => act({ success: () => resolve(null), error: (_, error) => resolve([error.code, error.retry]) }));
    const missing = new logConsole.logs.model({ id: "nowhere" });
    const misnamed = new (Backbone.Model.extend({ urlRoot: "no such/model" }))();
    return [await errorOf((options) => missing.fetch(options)), await errorOf((options) => misnamed.save({ a: 1 }, options))];
  });
  assert.deepEqual(errors, [["not_found", false], ["invalid_model", false]]);
});

test("what is written while there is no connection arrives when there is one", async (t) => {
  const { broker, one, other } = await twoPages(t);
  await one.evaluate(() => {
    const { connection, logs } = window.logConsole;
    connection.once("phase", (phase) => logs.create({ message: "in the dark", phase }));
  });
  await broker.killAndRestart();
  await holds(other, "in the dark");
  await holds(one, "in the dark");
  const records = await broker.records("Log");
  assert.deepEqual(records.map(({ phase }) => phase), ["lost"]);
});
