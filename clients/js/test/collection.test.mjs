/** What collections make of messages: pure, with a server of which the test says every word. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "backsync";
import { Scripted, settled } from "./lib/scripted.mjs";

async function begin(t) {
  const server = new Scripted();
  const client = connect("http://server", { transports: [server.transport], reconnect: { first: 0, longest: 0 } });
  t.after(() => client.close());
  await settled();
  return { server, client };
}

/** The answer to the last thing that was said. */
function answer(server, reply, at = -1) {
  server.link.say({ id: server.link.sent.at(at).id, ...reply });
}

const ids = (collection) => collection.records.map(({ id }) => id);
const said = (server) => server.link.sent.map(({ event, data }) => [event, data]);

test("records stand in the order of insertion, and a change does not move one", async (t) => {
  const { server, client } = await begin(t);
  const collection = client.collection("A");
  assert.equal(collection.state, "loading");
  // Before the answer nothing is known that a push could change.
  server.link.say({ event: "A:upsert", data: { id: "early" }, position: "p0" });
  answer(server, { data: [{ id: "a" }, { id: "b" }, { id: "c" }], position: "p1" });
  await collection.ready;
  server.link.say({ event: "A:upsert", data: { id: "b", n: 1 }, position: "p2" });
  server.link.say({ event: "A:upsert", data: { id: "d" }, position: "p3" });
  server.link.say({ event: "A:delete", data: { id: "a" }, position: "p4" });
  server.link.say({ event: "A:upsert", data: { id: "a" }, position: "p5" });
  server.link.say({ event: "A:delete", data: { id: "c" }, position: "p6" });
  server.link.say({ event: "A:upsert", data: { id: "x" }, position: "p7", filter: "another" });
  server.link.say({ event: "B:upsert", data: { id: "y" }, position: "p8" });
  assert.deepEqual(ids(collection), ["b", "d", "a"]);
  assert.deepEqual([collection.size, collection.has("b"), collection.get("b"), collection.get("c")], [3, true, { id: "b", n: 1 }, undefined]);
  assert.deepEqual([...collection], collection.records);
  assert.equal(collection.records, collection.records, "the same array until something changes");
});

test("those with the same criteria listen once, in whatever words, and stop with the last", async (t) => {
  const { server, client } = await begin(t);
  const one = client.collection("A", { where: { a: 1, b: { $in: [{ c: 1, d: 2 }] } } });
  const two = client.collection("A", { where: { b: { $in: [{ d: 2, c: 1 }] }, a: 1 }, sort: "-n" });
  assert.equal(server.link.sent.length, 1);
  answer(server, { data: [{ id: "x", n: 1 }, { id: "y", n: 2 }], filter: "f", position: "p1" });
  await two.ready;
  const three = client.collection("A", { where: { a: 1, b: { $in: [{ c: 1, d: 2 }] } } });
  await three.ready;
  assert.deepEqual([ids(one), ids(two), ids(three)], [["x", "y"], ["y", "x"], ["x", "y"]]);
  one.close();
  three.close();
  three.close();
  assert.equal(server.link.sent.length, 1);
  two.close();
  assert.deepEqual(said(server)[1], ["A:unsubscribe", { where: { a: 1, b: { $in: [{ c: 1, d: 2 }] } } }]);
  assert.deepEqual(ids(two), ["y", "x"], "the records stay as they are");
});

test("a filter's pushes are its own, and a record may leave it", async (t) => {
  const { server, client } = await begin(t);
  const all = client.collection("A");
  const some = client.collection("A", { where: { n: 1 } });
  answer(server, { data: [{ id: "x", n: 1 }], position: "p1" }, 0);
  answer(server, { data: [{ id: "x", n: 1 }], filter: "f", position: "p1" }, 1);
  const left = [];
  some.on("delete", (record, hasLeft) => left.push([record, hasLeft]));
  server.link.say({ event: "A:upsert", data: { id: "x", n: 2 }, position: "p2" });
  server.link.say({ event: "A:delete", data: { id: "x", n: 1 }, left: true, filter: "f", position: "p2" });
  server.link.say({ event: "A:delete", data: { id: "never" }, left: true, filter: "f", position: "p3" });
  assert.deepEqual([ids(all), ids(some), left], [["x"], [], [[{ id: "x", n: 1 }, true]]]);
});

test("what others still hear is not ended on the server", async (t) => {
  const { server, client } = await begin(t);
  const [one, two] = [client.collection("A", { ids: [1, "x"] }), client.collection("A", { ids: ["x", "z"] })];
  const [plain, same] = [client.collection("B", { where: { n: 1 } }), client.collection("B", { where: { n: { $eq: 1 } } })];
  answer(server, { data: [], filter: "f", position: "p" }, 2);
  answer(server, { data: [], filter: "f", position: "p" }, 3);
  one.close();
  plain.close();
  two.close();
  same.close();
  assert.deepEqual(said(server).slice(4), [
    ["A:unsubscribe", { ids: ["1"] }],
    ["A:unsubscribe", { ids: ["x", "z"] }],
    ["B:unsubscribe", { where: { n: { $eq: 1 } } }],
  ]);
});

test("a filter that was ended while the same was asked for in other words is asked for again", async (t) => {
  const { server, client } = await begin(t);
  const plain = client.collection("A", { where: { n: 1 } });
  answer(server, { data: [], filter: "f", position: "p" });
  client.collection("A", { where: { n: { $eq: 1 } } });
  plain.close();
  assert.deepEqual(said(server).slice(1).map(([event]) => event), ["A:read", "A:unsubscribe", "A:read"]);
});

test("single records are picked from what the connection hears of their model", async (t) => {
  const { server, client } = await begin(t);
  const all = client.collection("A");
  const one = client.collection("A", { ids: [7] });
  answer(server, { data: [], position: "p" }, 0);
  answer(server, { data: [], position: "p" }, 1);
  server.link.say({ event: "A:upsert", data: { id: "7" }, position: "p1" });
  server.link.say({ event: "A:upsert", data: { id: "8" }, position: "p2" });
  assert.deepEqual([ids(all), ids(one), one.has(7)], [["7", "8"], ["7"], true]);
});

test("who comes back is told what changed, or everything", async (t) => {
  const { server, client } = await begin(t);
  const collection = client.collection("A");
  const changes = [];
  for (const name of ["upsert", "delete", "reset", "state"]) collection.on(name, (...values) => changes.push([name, ...values]));
  answer(server, { data: [{ id: "a" }, { id: "b" }, { id: "c" }], position: "p1" });
  server.link.say({ event: "A:delete", data: { id: "c" }, position: "p2" });
  changes.length = 0;
  server.link.close();
  await settled();
  while (server.links.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  await settled();
  assert.deepEqual(said(server), [["A:read", { since: "p2" }]]);
  answer(server, { data: [{ id: "a", n: 1 }, { id: "d" }], deleted: ["b", "unknown"], position: "p9" });
  assert.deepEqual(changes, [
    ["state", "stale", undefined],
    ["delete", { id: "b" }, false],
    ["upsert", { id: "a", n: 1 }, { id: "a" }],
    ["upsert", { id: "d" }, undefined],
    ["state", "live", undefined],
  ]);
  server.link.close();
  while (server.links.length < 3) await new Promise((resolve) => setTimeout(resolve, 1));
  await settled();
  assert.deepEqual(said(server), [["A:read", { since: "p9" }]]);
  answer(server, { data: [{ id: "z" }], reset: true, position: "q1" });
  assert.deepEqual(ids(collection), ["z"]);
});

test("a position that was told in short is not gone on from until it is whole", async (t) => {
  const { server, client } = await begin(t);
  const collection = client.collection("A");
  answer(server, { data: [{ id: "a" }], position: "p1" });
  server.link.say({ event: "A:upsert", data: { id: "b" } });
  assert.deepEqual([ids(collection), collection.source.position], [["a", "b"], "p1"]);
  server.link.say({ event: "A:delete", data: { id: "a" }, position: "p5" });
  assert.deepEqual([ids(collection), collection.source.position], [["b"], "p5"]);
  server.link.say({ event: "A:reset", data: [{ id: "c" }], position: "p9" });
  assert.deepEqual([ids(collection), collection.source.position], [["c"], "p9"]);
});

test("a bounded model's oldest records go by themselves", async (t) => {
  const { server, client } = await begin(t);
  const collection = client.collection("A");
  const gone = [];
  collection.on("delete", ({ id }) => gone.push(id));
  answer(server, { data: [{ id: "a" }, { id: "b" }], max_records: 2, position: "p1" });
  server.link.say({ event: "A:upsert", data: { id: "a", n: 1 }, position: "p2" });
  server.link.say({ event: "A:upsert", data: { id: "c" }, position: "p3" });
  assert.deepEqual([ids(collection), gone], [["b", "c"], ["a"]]);
});

test("changes can be read one after the other, from what there is", async (t) => {
  const { server, client } = await begin(t);
  const collection = client.collection("A");
  const reading = (async () => {
    const seen = [];
    for await (const change of collection) {
      seen.push(change);
      if (change.type === "delete") break;
    }
    return seen;
  })();
  await settled();
  answer(server, { data: [{ id: "a" }], position: "p1" });
  await settled();
  server.link.say({ event: "A:upsert", data: { id: "a", n: 1 }, position: "p2" });
  server.link.say({ event: "A:delete", data: { id: "a", n: 1 }, position: "p3" });
  assert.deepEqual(await reading, [
    { type: "reset", records: [{ id: "a" }] },
    { type: "state", state: "live" },
    { type: "upsert", id: "a", record: { id: "a", n: 1 }, before: { id: "a" } },
    { type: "delete", id: "a", record: { id: "a", n: 1 }, left: false },
  ]);
});

test("who reads too slowly gets everything in the place of what was missed", async (t) => {
  const { server, client } = await begin(t);
  const collection = client.collection("A");
  answer(server, { data: [], position: "p" });
  const reader = collection[Symbol.asyncIterator]();
  assert.deepEqual((await reader.next()).value, { type: "reset", records: [] });
  for (let n = 0; n <= 1000; n++) server.link.say({ event: "A:upsert", data: { id: "x", n }, position: `p${n}` });
  assert.deepEqual((await reader.next()).value, { type: "reset", records: [{ id: "x", n: 1000 }] });
  server.link.say({ event: "A:upsert", data: { id: "y" }, position: "q" });
  assert.equal((await reader.next()).value.id, "y");
  const last = reader.next();
  collection.close();
  assert.deepEqual(await last, { value: undefined, done: true });
});

test("a handler that throws keeps nobody from hearing", async (t) => {
  const { server, client } = await begin(t);
  const collection = client.collection("A");
  const reported = t.mock.method(globalThis, "queueMicrotask", () => {});
  const heard = [];
  const stop = collection.on("upsert", ({ id }) => heard.push(id));
  collection.on("upsert", () => {
    throw new Error("mine");
  });
  collection.on("upsert", ({ id }) => heard.push(`${id} again`));
  answer(server, { data: [], position: "p" });
  server.link.say({ event: "A:upsert", data: { id: "x" }, position: "p1" });
  assert.throws(reported.mock.calls[0].arguments[0], /mine/);
  stop();
  server.link.say({ event: "A:upsert", data: { id: "y" }, position: "p2" });
  assert.deepEqual(heard, ["x", "x again", "y again"]);
});

test("one that may not listen fails, and is asked for again when somebody else says who he is", async (t) => {
  const { server, client } = await begin(t);
  const collection = client.collection("A");
  answer(server, { data: null, error: { code: "forbidden", message: "no", retry: false } });
  await assert.rejects(collection.ready, { code: "forbidden" });
  assert.deepEqual([collection.state, collection.error.code], ["failed", "forbidden"]);
  const admitted = client.authenticate("better");
  await settled();
  answer(server, { data: {} });
  await admitted;
  assert.equal(server.link.sent.at(-1).event, "A:read");
  answer(server, { data: [{ id: "x" }], position: "p" });
  assert.deepEqual([collection.state, ids(collection), collection.error], ["live", ["x"], undefined]);
});

test("one that begins with a copy asks for what became of it", async (t) => {
  const { server, client } = await begin(t);
  const listening = client.listening("A", {}, { records: [{ id: "a" }, { id: "b" }], position: "p1" });
  const heard = [];
  const stop = listening.watch((changes) => heard.push(...changes));
  assert.deepEqual([[...listening.records.keys()], listening.state], [["a", "b"], "stale"]);
  assert.deepEqual(said(server), [["A:read", { since: "p1" }]]);
  answer(server, { data: [], deleted: ["a"], position: "p2" });
  assert.deepEqual([...listening.records.keys()], ["b"]);
  assert.deepEqual(heard.map(({ type }) => type), ["delete", "state"]);
  stop();
  assert.equal(listening.state, "closed");
});

test("one that was closed before its answer came hears nothing of it", async (t) => {
  const { server, client } = await begin(t);
  const closed = client.collection("A");
  closed.close();
  const again = client.collection("A");
  assert.deepEqual(said(server).map(([event]) => event), ["A:read", "A:unsubscribe", "A:read"]);
  answer(server, { data: [{ id: "old" }], position: "p1" }, 0);
  answer(server, { data: [{ id: "new" }], position: "p2" }, 2);
  assert.deepEqual([ids(closed), closed.source.state, ids(again)], [[], "closed", ["new"]]);
});

test("the order is that of the protocol, or the application's own", async (t) => {
  const { server, client } = await begin(t);
  const values = [[1], "b", 2, true, null, { a: 1 }, "\u{10000}", "\uffff", false, 10, undefined, "a"];
  const sorted = client.collection("A", { sort: "v.w" });
  const backwards = client.collection("A", { sort: ["-kind", "n"] });
  const own = client.collection("A", { sort: (a, b) => b.n - a.n });
  answer(server, { data: values.map((w, n) => ({ id: `${n}`, n, kind: n % 2, v: { w } })), position: "p" });
  assert.deepEqual(sorted.records.map(({ v }) => v.w), [undefined, null, false, true, 2, 10, "a", "b", "\uffff", "\u{10000}", [1], { a: 1 }]);
  assert.deepEqual(backwards.records.map(({ n }) => n), [1, 3, 5, 7, 9, 11, 0, 2, 4, 6, 8, 10]);
  assert.deepEqual(own.records.map(({ n }) => n), values.map((_, n) => n).reverse());
});
