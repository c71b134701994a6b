/** What holds without a connection, and when it comes back: with a real server. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { connect } from "backsync";
import { memory, openOffline } from "backsync/offline";
import { Broker } from "../../../tests/browser/lib/broker.mjs";
import { Faulty } from "./lib/faulty.mjs";
import { next, sent, until } from "./lib/until.mjs";
import { WAYS } from "./lib/ways.mjs";

const quick = { reconnect: { first: 10, longest: 50 } };

/** A server, somebody else, and visits of a program that has a storage. */
async function begin(t, { settings = [] } = {}) {
  const broker = await Broker.start(t, { store: "memory:", settings });
  const other = connect(broker.url, { transports: [WAYS.websocket()], ...quick });
  t.after(() => other.close());
  const storage = memory();
  const line = new Faulty(WAYS.websocket());
  const visit = async (options = {}) => {
    const offline = await openOffline(broker.url, { storage, transports: [line.transport], ...quick, ...options });
    t.after(() => offline.close());
    return offline;
  };
  return { broker, other, storage, line, visit };
}

const plain = (records) => [...records].map(({ _rev, _lastChange, ...own }) => own);

describe("writes", () => {
  test("are seen at once, wait in their order, and are done when there is a connection", async (t) => {
    const { line, other, visit } = await begin(t);
    line.down();
    const offline = await visit();
    const tasks = offline.collection("Task");
    const made = tasks.upsert({ title: "sweep" });
    const [{ id }] = tasks.records;
    tasks.upsert({ id, done: true });
    tasks.upsert([{ id: "b", n: 1 }, { id: "c", n: 1 }]);
    tasks.delete("b");
    assert.deepEqual([plain(tasks), offline.pending, offline.isOnline], [[{ id, title: "sweep", done: true }, { id: "c", n: 1 }], 4, false]);
    line.up();
    assert.equal((await made).title, "sweep");
    await sent(offline);
    assert.deepEqual(plain(await other.read("Task")), [{ id, title: "sweep", done: true }, { id: "c", n: 1 }]);
    assert.deepEqual(plain(tasks), plain(await other.read("Task")));
    const writes = line.sent.filter(({ event }) => /Task:(upsert|delete)/.test(event));
    assert.deepEqual(writes.map(({ data }) => (Array.isArray(data) ? data.length : Object.keys(data)[1])), ["title", "done", 2, "_rev"]);
  });

  test("outlive the visit, and are seen in the next", async (t) => {
    const { line, other, visit } = await begin(t);
    line.down();
    const first = await visit();
    const lost = first.collection("Task").upsert({ id: "x", n: 1 });
    await first.kept();
    first.close();
    await assert.rejects(lost, { code: "closed" });
    const second = await visit();
    const tasks = second.collection("Task");
    assert.deepEqual([plain(tasks), second.pending], [[{ id: "x", n: 1 }], 1]);
    line.up();
    await sent(second);
    assert.deepEqual(plain(await other.read("Task")), [{ id: "x", n: 1 }]);
  });

  test("of which the answer was lost are repeated in the same words in the next visit, and done once", async (t) => {
    const { line, other, visit } = await begin(t);
    const heard = other.collection("Task");
    await heard.ready;
    const first = await visit();
    const tasks = first.collection("Task");
    await tasks.upsert({ id: "a" });
    line.deafen();
    tasks.upsert({ id: "b", n: 1 });
    tasks.upsert({ id: "c", n: 1 });
    await until(heard, () => heard.has("c"));
    first.close();
    // Somebody else's edit, which a second writing would undo.
    await other.upsert("Task", { id: "b", n: 2 });
    const second = await visit();
    await sent(second);
    assert.deepEqual((await other.read("Task")).map(({ id, n, _rev }) => [id, n, _rev]), [["a", undefined, 1], ["b", 2, 4], ["c", 1, 3]]);
    const texts = line.sent.filter(({ event }) => event === "Task:upsert").map((message) => JSON.stringify(message));
    assert.deepEqual([texts.length, new Set(texts).size], [5, 3]);
  });

  test("are taken back when they are refused, set aside, and can be tried again", async (t) => {
    const { line, other, visit } = await begin(t);
    const offline = await visit({ policy: "server-wins" });
    const tasks = offline.collection("Task");
    await tasks.upsert({ id: "x", title: "ours", n: 1 });
    line.down();
    await other.upsert("Task", { id: "x", title: "theirs" });
    const refused = tasks.upsert({ id: "x", n: 2 });
    assert.equal(tasks.get("x").n, 2);
    const told = next(offline, "refused");
    line.up();
    await assert.rejects(refused, { code: "conflict" });
    const [write, error] = await told;
    assert.deepEqual([write.edits[0].set, error.code, error.record.title], [{ n: 2 }, "conflict", "theirs"]);
    assert.deepEqual([plain(tasks), offline.pending], [[{ id: "x", title: "theirs", n: 1 }], 0]);
    const [aside] = await offline.aside();
    assert.deepEqual([aside.error.code, aside.entry.edits[0].set], ["conflict", { n: 2 }]);
    await other.delete("Task", "x");
    await until(tasks, () => tasks.size === 0);
    await offline.retry(aside);
    await sent(offline);
    assert.equal((await offline.aside()).length, 1, "it is refused again");
    await offline.discard((await offline.aside())[0]);
    assert.deepEqual(await offline.aside(), []);
  });

  test("of one record go on from each other, without a conflict with themselves", async (t) => {
    const { line, other, visit } = await begin(t);
    const offline = await visit({ policy: "server-wins" });
    const tasks = offline.collection("Task");
    await tasks.upsert({ id: "x", n: 0 });
    line.down();
    const writes = [1, 2, 3].map((n) => tasks.upsert({ id: "x", n, [`at${n}`]: true }));
    writes.push(tasks.delete("x"), tasks.upsert({ id: "x", again: true }));
    assert.deepEqual(plain(tasks), [{ id: "x", again: true }]);
    line.up();
    await Promise.all(writes);
    assert.deepEqual(plain(await other.read("Task")), [{ id: "x", again: true }]);
    assert.deepEqual(plain(tasks), plain(await other.read("Task")));
  });

  test("are kept in their words before they are said", async (t) => {
    const { storage, visit } = await begin(t);
    const kept = [];
    const watching = {
      name: "watching",
      open(address, events) {
        const link = WAYS.websocket().open(address, events);
        const send = (text) => {
          // A memory's list is made at once, whenever it is awaited.
          if (text.includes("Task:upsert")) kept.push(storage.list("queue:").then((stored) => stored.some(([, entry]) => JSON.parse(entry).text === text)));
          link.send(text);
        };
        return { send, close: () => link.close() };
      },
    };
    const offline = await visit({ transports: [watching] });
    const tasks = offline.collection("Task");
    await tasks.upsert({ id: "x" });
    await Promise.all([tasks.upsert({ id: "x", n: 1 }), tasks.upsert({ id: "x", n: 2 })]);
    assert.deepEqual(await Promise.all(kept), [true, true, true]);
  });

  test("behind one that met another's edit know what was seen when they were made", async (t) => {
    const { line, other, visit } = await begin(t);
    const offline = await visit({ policy: "merge" });
    const tasks = offline.collection("Task");
    await tasks.upsert({ id: "x", a: 0, b: 0, c: 0 });
    line.down();
    await other.upsert("Task", { id: "x", b: 7 });
    const writes = [tasks.upsert({ id: "x", a: 1 }), tasks.upsert({ id: "x", b: 1 }), tasks.upsert({ id: "x", c: 1 })];
    line.up();
    const outcomes = await Promise.allSettled(writes);
    assert.deepEqual(outcomes.map(({ reason }) => reason?.properties), [undefined, ["b"], undefined]);
    assert.deepEqual(plain(await other.read("Task")), [{ id: "x", a: 1, b: 7, c: 1 }]);
  });

  test("behind one that was refused are refused with it", async (t) => {
    const { line, other, visit } = await begin(t);
    const offline = await visit({ policy: "server-wins" });
    const tasks = offline.collection("Task");
    await tasks.upsert({ id: "x", n: 0 });
    line.down();
    await other.upsert("Task", { id: "x", n: 10 });
    const writes = [tasks.upsert({ id: "x", n: 1 }), tasks.upsert({ id: "x", m: 1 }), tasks.upsert({ id: "y" })];
    line.up();
    const outcomes = await Promise.allSettled(writes);
    assert.deepEqual(outcomes.map(({ status }) => status), ["rejected", "rejected", "fulfilled"]);
    assert.deepEqual(plain(await other.read("Task")), [{ id: "x", n: 10 }, { id: "y" }]);
    assert.deepEqual(plain(tasks), plain(await other.read("Task")));
  });

  test("may be given up on by who waits, and go on", async (t) => {
    const { line, other, visit } = await begin(t);
    line.down();
    const offline = await visit();
    const tasks = offline.collection("Task");
    await assert.rejects(tasks.upsert({ id: "x" }, { timeout: 1 }), { code: "timeout" });
    await assert.rejects(tasks.upsert({ id: "y" }, { signal: AbortSignal.abort() }), { name: "AbortError" });
    line.up();
    await sent(offline);
    assert.deepEqual(plain(await other.read("Task")), [{ id: "x" }, { id: "y" }]);
  });
});

describe("policies", () => {
  /** Both sides edit one record, ours while away. */
  async function meet(t, options, ours = { title: "ours", a: 1 }, theirs = { title: "theirs", b: 1 }) {
    const { line, other, visit } = await begin(t);
    const offline = await visit(options);
    const pages = offline.collection("Page");
    await pages.upsert({ id: "p", title: "before" });
    line.down();
    const write = ours === null ? pages.delete("p") : pages.upsert({ id: "p", ...ours });
    const outcome = write.then(() => "done", ({ code }) => code);
    await offline.kept();
    if (theirs === null) await other.delete("Page", "p");
    else await other.upsert("Page", { id: "p", ...theirs });
    const overruled = [];
    offline.on("overruled", (write) => overruled.push(write));
    line.up();
    const how = await outcome;
    await sent(offline);
    const stands = plain(await other.read("Page"));
    await until(pages, () => pages.state === "live");
    assert.deepEqual(plain(pages), stands);
    return { how, record: stands[0], overruled, aside: await offline.aside() };
  }

  test("client-wins", async (t) => {
    const { how, record } = await meet(t, { policy: "client-wins" });
    assert.deepEqual([how, record], ["done", { id: "p", title: "ours", a: 1, b: 1 }]);
  });

  test("server-wins", async (t) => {
    const { how, record, aside } = await meet(t, { policy: "server-wins" });
    assert.deepEqual([how, record, aside.length], ["conflict", { id: "p", title: "theirs", b: 1 }, 1]);
  });

  test("latest-wins", async (t) => {
    const theirs = { title: "theirs", b: 1, _lastChange: Date.now() - 60_000 };
    const { how, record, overruled } = await meet(t, { policy: "latest-wins" }, undefined, theirs);
    assert.deepEqual([how, record, overruled], ["done", { id: "p", title: "ours", a: 1, b: 1 }, []]);
  });

  test("latest-wins, where theirs is later", async (t) => {
    const { line, other, visit } = await begin(t);
    const offline = await visit({ policies: { Page: "latest-wins" } });
    const pages = offline.collection("Page");
    await pages.upsert({ id: "p", title: "before" });
    line.down();
    const late = pages.upsert({ id: "p", title: "ours" });
    await other.upsert("Page", { id: "p", title: "theirs", _lastChange: Date.now() + 2000 }, { policy: "latest-wins" });
    const told = next(offline, "overruled");
    line.up();
    assert.equal((await late).title, "theirs");
    const [{ local, remote }] = await told;
    assert.deepEqual([local.title, remote.title, pages.get("p").title], ["ours", "theirs", "theirs"]);
  });

  test("merge keeps both, and refuses where both changed the same", async (t) => {
    const apart = await meet(t, { policy: "merge" }, { a: 1 }, { b: 1 });
    assert.deepEqual([apart.how, apart.record], ["done", { id: "p", title: "before", a: 1, b: 1 }]);
    const together = await meet(t, { policy: "merge" });
    assert.deepEqual([together.how, together.record], ["conflict", { id: "p", title: "theirs", b: 1 }]);
  });

  test("a function is asked where both changed the same, and what it answers is written", async (t) => {
    const asked = [];
    const policy = async (conflict) => {
      asked.push(conflict);
      return { ...conflict.local, title: `${conflict.local.title} and ${conflict.remote.title}` };
    };
    const { how, record } = await meet(t, { policy });
    assert.deepEqual([how, record], ["done", { id: "p", title: "ours and theirs", a: 1, b: 1 }]);
    const [{ model, id, local, remote, properties }] = asked;
    assert.deepEqual([asked.length, model, id, local, remote.title, properties], [1, "Page", "p", { title: "ours", a: 1 }, "theirs", ["title"]]);
  });

  test("a function may leave it at what the server has, delete, or write what was deleted", async (t) => {
    const left = await meet(t, { policy: () => undefined });
    assert.deepEqual([left.how, left.record, left.aside.length], ["conflict", { id: "p", title: "theirs", b: 1 }, 1]);
    const deleted = await meet(t, { policy: () => null });
    assert.deepEqual([deleted.how, deleted.record], ["done", undefined]);
    const written = await meet(t, { policy: ({ local, remote }) => (remote === null ? local : undefined) }, { title: "ours" }, null);
    assert.deepEqual([written.how, written.record], ["done", { id: "p", title: "ours" }]);
    const kept = await meet(t, { policy: ({ local, remote }) => (local === null ? { title: `not ${remote.title}` } : undefined) }, null);
    assert.deepEqual([kept.how, kept.record.title], ["done", "not theirs"]);
  });

  test("a function that fails loses nothing", async (t) => {
    const { how, record, aside } = await meet(t, { policy: () => Promise.reject(new Error("no idea")) });
    assert.deepEqual([how, record.title, aside[0].entry.edits[0].set.title], ["conflict", "theirs", "ours"]);
    assert.match(aside[0].error.message, /no idea/);
  });

  test("a function that is asked again decides again", async (t) => {
    const { line, other, visit } = await begin(t);
    let asked = 0;
    const policy = async ({ local, remote }) => {
      if (++asked === 1) await other.upsert("Page", { id: "p", n: 3 });
      return { n: local.n + remote.n };
    };
    const offline = await visit({ policy });
    const pages = offline.collection("Page");
    await pages.upsert({ id: "p", n: 0 });
    line.down();
    const write = pages.upsert({ id: "p", n: 10 });
    await other.upsert("Page", { id: "p", n: 1 });
    line.up();
    await write;
    assert.deepEqual([asked, plain(await other.read("Page"))], [2, [{ id: "p", n: 14 }]]);
  });
});

describe("what is seen", () => {
  test("is there in the next visit without a server, and only what changed is asked for", async (t) => {
    const { line, other, visit } = await begin(t);
    const first = await visit();
    await other.upsert("Task", [{ id: "c" }, { id: "a" }, { id: "b", n: 1 }]);
    const before = first.collection("Task");
    await before.ready;
    await other.upsert("Task", { id: "a", n: 7 });
    await until(before, () => before.get("a").n === 7);
    first.close();
    line.down();
    const second = await visit();
    const after = second.collection("Task");
    await after.ready;
    assert.deepEqual([after.state, plain(after)], ["stale", [{ id: "c" }, { id: "a", n: 7 }, { id: "b", n: 1 }]]);
    await other.delete("Task", "c");
    await other.upsert("Task", { id: "d" });
    const changes = [];
    after.on("upsert", ({ id }) => changes.push(`+${id}`));
    after.on("delete", ({ id }) => changes.push(`-${id}`));
    after.on("reset", () => changes.push("all"));
    line.up();
    await until(after, () => after.state === "live");
    assert.deepEqual([plain(after), changes], [[{ id: "a", n: 7 }, { id: "b", n: 1 }, { id: "d" }], ["-c", "+d"]]);
  });

  test("is what matches, with the writes that wait", async (t) => {
    const { line, other, visit } = await begin(t);
    await other.upsert("Task", [{ id: "a", list: "x" }, { id: "b", list: "y" }, { id: "c", list: "x" }]);
    const offline = await visit();
    const tasks = offline.collection("Task", { where: { list: "x" }, sort: "-id" });
    const some = offline.collection("Task", { ids: ["b", "new"] });
    await Promise.all([tasks.ready, some.ready]);
    line.down();
    tasks.upsert({ id: "a", list: "y" });
    tasks.upsert({ id: "new", list: "x" });
    tasks.upsert({ id: "other", list: "z" });
    some.upsert({ id: "b", n: 1 });
    assert.deepEqual([tasks.records.map(({ id }) => id), plain(some)], [["new", "c"], [{ id: "b", list: "y", n: 1 }, { id: "new", list: "x" }]]);
    line.up();
    await sent(offline);
    await until(tasks, () => tasks.state === "live");
    assert.deepEqual([tasks.records.map(({ id }) => id), some.size], [["new", "c"], 2]);
  });

  test("does not waver when writes are answered", async (t) => {
    const { line, other, visit } = await begin(t);
    const offline = await visit();
    const tasks = offline.collection("Task");
    await tasks.ready;
    const seen = [];
    tasks.on("upsert", ({ n }) => seen.push(n));
    tasks.on("delete", () => seen.push("gone"));
    line.down();
    const writes = [tasks.upsert({ id: "x", n: 1 }), tasks.upsert({ id: "x", n: 2 }), tasks.upsert({ id: "x", n: 3 })];
    line.up();
    await Promise.all(writes);
    await other.read("Task");
    assert.deepEqual(seen.filter((n, at) => n !== seen[at - 1]), [1, 2, 3]);
  });

  test("is dropped when it is not as it was written, and read anew", async (t) => {
    const spoil = {
      "a record that is no JSON": (changes, key) => key.endsWith(":a") && changes.set(key, "{"),
      "a record that is gone": (changes, key) => key.endsWith(":a") && changes.set(key, null),
      "a position that is gone": (changes, key) => key.endsWith(":meta") && changes.set(key, null),
      "a position that is none": (changes, key) => key.endsWith(":meta") && changes.set(key, '{"position":7,"count":2}'),
    };
    for (const [how, damage] of Object.entries(spoil)) {
      await t.test(how, async (t) => {
        const { storage, other, visit } = await begin(t);
        await other.upsert("Task", [{ id: "a" }, { id: "b" }]);
        const first = await visit();
        await first.collection("Task").ready;
        first.close();
        while ((await storage.list("cache:")).length < 3) await new Promise((resolve) => setImmediate(resolve));
        const changes = new Map();
        for (const [key] of await storage.list("cache:")) damage(changes, key);
        assert.ok(changes.size === 1);
        await storage.write(changes);
        const second = await visit();
        const told = next(second, "trouble");
        const tasks = second.collection("Task");
        await tasks.ready;
        assert.deepEqual(plain(tasks), [{ id: "a" }, { id: "b" }]);
        assert.deepEqual((await told)[0], { type: "cache_corrupt", model: "Task" });
      });
    }
  });

  test("is not kept where it is too much, or was not used for long", async (t) => {
    const { storage, other, visit } = await begin(t);
    await other.upsert("Task", [{ id: "a" }, { id: "b" }, { id: "c" }]);
    await other.upsert("Note", { id: "n" });
    const first = await visit({ cacheRecords: 2 });
    const told = next(first, "trouble");
    await Promise.all([first.collection("Task").ready, first.collection("Note").ready]);
    assert.deepEqual((await told)[0], { type: "cache_too_large", model: "Task", records: 3 });
    while ((await storage.list("cache:")).length < 2) await new Promise((resolve) => setImmediate(resolve));
    first.close();
    assert.ok((await storage.list("cache:")).every(([key]) => key.includes("Note")));
    const second = await visit({ cacheAge: -1000 });
    second.close();
    assert.deepEqual([await storage.list("cache:"), await storage.list("used:")], [[], []]);
  });
});

describe("a storage that fails", () => {
  test("loses nothing in silence: what cannot be kept is told, and done all the same", async (t) => {
    const { line, other, storage, visit } = await begin(t);
    let isFull = false;
    const failing = {
      ...storage,
      async write(changes, condition) {
        if (isFull && [...changes.values()].some((text) => text !== null)) throw Object.assign(new Error("no room"), { code: "full" });
        return storage.write(changes, condition);
      },
    };
    const offline = await visit({ storage: failing });
    const tasks = offline.collection("Task");
    await tasks.ready;
    line.down();
    isFull = true;
    const told = next(offline, "trouble");
    const write = tasks.upsert({ id: "x" });
    assert.equal((await told)[0].error.code, "full");
    assert.equal(tasks.size, 1);
    line.up();
    await write;
    assert.deepEqual(plain(await other.read("Task")), [{ id: "x" }]);
    await sent(offline);
  });

  test("makes room by what was not used for longest", async (t) => {
    const { storage, other, visit } = await begin(t);
    await other.upsert("Old", { id: "o" });
    await other.upsert("New", { id: "n", text: "x".repeat(500) });
    const first = await visit();
    await first.collection("Old").ready;
    while ((await storage.list("cache:")).length < 2) await new Promise((resolve) => setImmediate(resolve));
    first.close();
    const crowded = {
      ...storage,
      async write(changes, condition) {
        const isLarge = [...changes.values()].some((text) => text?.length > 500);
        if (isLarge && (await storage.list("cache:Old")).length > 0) throw Object.assign(new Error("no room"), { code: "full" });
        return storage.write(changes, condition);
      },
    };
    const second = await visit({ storage: crowded });
    await second.collection("New").ready;
    while ((await storage.list("cache:New")).length < 2) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(await storage.list("cache:Old"), []);
  });

  test("sets aside a write that it garbled, and tells", async (t) => {
    const { line, storage, other, visit } = await begin(t);
    line.down();
    const first = await visit();
    const tasks = first.collection("Task");
    tasks.upsert({ id: "a" });
    tasks.upsert({ id: "b" });
    await first.kept();
    first.close();
    const [[key, text]] = await storage.list("queue:");
    await storage.write(new Map([[key, text.slice(0, 20)]]));
    line.up();
    const second = await visit();
    assert.deepEqual((await next(second, "trouble"))[0], { type: "write_corrupt", text: text.slice(0, 20) });
    await sent(second);
    assert.deepEqual(plain(await other.read("Task")), [{ id: "b" }]);
    const [aside] = await second.aside();
    assert.deepEqual([aside.text, aside.entry], [text.slice(0, 20), undefined]);
    await assert.rejects(second.retry(aside), TypeError);
  });

  test("that does not work at all is told when it is opened", async (t) => {
    const { storage, visit } = await begin(t);
    const broken = { ...storage, list: () => Promise.reject(new Error("not here")) };
    await assert.rejects(visit({ storage: broken }), /not here/);
  });
});
