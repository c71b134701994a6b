/** The sync adapter for Alloy, by what Alloy asks of one, with the oldest Backbone that it has and with the newest. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { alloy } from "backsync/alloy";
import { memory, openOffline } from "backsync/offline";
import { Alloy } from "./lib/alloy.mjs";
import { clientOf, freshBackbone, happens, heard, own, startBroker } from "./lib/backbone.mjs";
import { Faulty } from "./lib/faulty.mjs";
import { WAYS } from "./lib/ways.mjs";

/** A call with callbacks, as a promise of what they get. */
const done = (call) => new Promise((success, reject) => call({ success: (model, data) => success(data), error: (model, error) => reject(error) }));

for (const version of ["backbone-0.9.2", "backbone"]) {
  const begin = async (t, { backing, settings, adapter = {}, ...definition } = {}) => {
    const broker = await startBroker(t);
    const somebody = clientOf(t, broker);
    const client = clientOf(t, broker);
    const app = new Alloy(freshBackbone(version), { backsync: alloy(backing ? await backing(broker) : client, settings) });
    app.define("book", { config: { columns: { title: "TEXT" }, defaults: { pages: 1 }, adapter: { type: "backsync", collection_name: "Book", ...adapter } }, ...definition });
    return { app, somebody, client };
  };

  test(`${version}: models are created, read, updated and deleted`, async (t) => {
    const { app, somebody } = await begin(t);
    const book = app.createModel("book", { title: "Emma" });
    await done((callbacks) => book.save({}, callbacks));
    assert.deepEqual([book.isNew(), (await somebody.read("Book")).map(({ title, pages }) => [title, pages])], [false, [["Emma", 1]]]);
    await done((callbacks) => book.save({ pages: 400 }, callbacks));
    const again = app.createModel("book");
    const fetched = happens(again, "fetch");
    await done((callbacks) => again.fetch({ id: book.id, ...callbacks }));
    assert.deepEqual([own(again), (await fetched)[0].fromAdapter], [{ id: book.id, title: "Emma", pages: 400 }, true]);
    await done((callbacks) => book.destroy(callbacks));
    assert.deepEqual(await somebody.read("Book"), []);
    const refusal = await done((callbacks) => app.createModel("book").fetch({ id: "nobody", ...callbacks })).catch((error) => error);
    assert.equal(refusal.code, "not_found");
  });

  test(`${version}: a collection is read, in part too, and what is bound to it hears of that`, async (t) => {
    const { app, somebody } = await begin(t);
    await somebody.upsert("Book", [{ id: "a", n: 1 }, { id: "b", n: 2 }, { id: "c", n: 3 }]);
    const books = app.createCollection("book");
    let fetches = 0;
    books.on("fetch", () => fetches++);
    await done((callbacks) => books.fetch(callbacks));
    assert.deepEqual([books.pluck("id"), fetches], [["a", "b", "c"], 1]);
    await done((callbacks) => books.fetch({ where: { n: { $gt: 1 } }, sort: "-n", ...callbacks }));
    assert.deepEqual(books.pluck("id"), ["c", "b"]);
    await done((callbacks) => books.fetch({ id: "a", silent: true, ...callbacks }));
    assert.deepEqual([books.pluck("id"), fetches], [["a"], 2]);
  });

  test(`${version}: what is live follows the server`, async (t) => {
    const { app, somebody, client } = await begin(t, { adapter: { live: true, idAttribute: "isbn" } });
    const books = app.createCollection("book");
    await done((callbacks) => books.fetch(callbacks));
    const said = [];
    books.on("add remove change", (book) => book.id?.startsWith("mark") || said.push(book.id));
    await somebody.upsert("Book", [{ id: "a", title: "Emma" }, { id: "b" }]);
    await somebody.upsert("Book", { id: "a", title: "Persuasion" });
    await somebody.delete("Book", "b");
    await heard(client, somebody, "Book");
    assert.deepEqual([books.pluck("title"), books.get("a").get("isbn"), said], [["Persuasion"], "a", ["a", "b", "a", "b"]]);
    const mine = books.create({ title: "Sanditon" });
    await heard(client, somebody, "Book");
    assert.deepEqual([books.length, mine.id], [2, mine.get("isbn")]);
  });

  for (const [policy, wanted] of [["client-wins", ["mine", "theirs"]], ["server-wins", "conflict"], ["merge", ["mine", "theirs"]]]) {
    test(`${version}: ${policy} is kept where two write`, async (t) => {
      const { app, somebody } = await begin(t, { adapter: { policy } });
      await somebody.upsert("Book", { id: "a", title: "first", note: "first" });
      const book = app.createModel("book", { id: "a" });
      await done((callbacks) => book.fetch(callbacks));
      const theirs = await somebody.upsert("Book", { id: "a", note: "theirs" });
      const saved = done((callbacks) => book.save({ title: "mine", ...(policy === "client-wins" && { note: theirs.note }) }, callbacks));
      const answer = await saved.then(({ title, note }) => [title, note], ({ code }) => code);
      assert.deepEqual(answer, wanted);
    });
  }

  test(`${version}: without a connection it goes on, and a handler decides what meets`, async (t) => {
    const way = new Faulty(WAYS.websocket());
    const conflicts = [];
    const policy = ({ local, remote, properties }) => {
      conflicts.push([local.title, remote.title, properties]);
      return { title: `${remote.title} and ${local.title}` };
    };
    let offline;
    const { app, somebody } = await begin(t, {
      settings: { live: true },
      backing: async ({ url }) => {
        offline = await openOffline(url, { storage: memory(), transports: [way.transport], reconnect: { first: 10, longest: 50 }, policy });
        t.after(() => offline.close());
        return offline;
      },
    });
    await somebody.upsert("Book", { id: "a", title: "first" });
    const books = app.createCollection("book");
    await done((callbacks) => books.fetch(callbacks));
    way.down();
    await happens({ on: (name, handler) => (offline.stop = offline.on(name, handler)), off: () => offline.stop() }, "online", (isOnline) => !isOnline);
    await somebody.upsert("Book", { id: "a", title: "theirs" });
    const saved = done((callbacks) => books.get("a").save({ title: "mine" }, callbacks));
    const made = books.create({ title: "new" });
    await done((callbacks) => books.fetch(callbacks));
    assert.deepEqual([books.pluck("title"), offline.pending], [["mine", "new"], 2], "what is kept is read");
    way.up();
    await saved;
    while (offline.pending > 0) await happens({ on: (name, handler) => (offline.stop = offline.on(name, handler)), off: () => offline.stop() }, "pending");
    assert.deepEqual(conflicts.map(([local, remote]) => [local, remote]), [["mine", "theirs"]]);
    assert.deepEqual((await somebody.read("Book")).map(({ id, title }) => [id, title]), [["a", "theirs and mine"], [made.id, "new"]]);
  });
}

test("Titanium gets it in one file", async (t) => {
  const code = await readFile(new URL("../dist/backsync.alloy.js", import.meta.url), "utf8");
  const module = { exports: {} };
  new Function("module", "exports", "require", code)(module, module.exports, () => assert.fail("it needs nothing else"));
  const { alloy, memoryConnector } = module.exports;
  const app = new Alloy(freshBackbone("backbone-0.9.2"), { backsync: alloy(memoryConnector()) });
  app.define("Book", { config: { adapter: { type: "backsync" } } });
  const [book, books] = [app.createModel("Book", { title: "Emma" }), app.createCollection("Book")];
  await done((callbacks) => book.save({}, callbacks));
  await done((callbacks) => books.fetch(callbacks));
  assert.deepEqual(books.pluck("title"), ["Emma"]);
});
