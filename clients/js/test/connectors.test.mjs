/** What every connector has to do, whatever is behind it: a server by its protocol or by HTTP, a storage, or nothing. */

import assert from "node:assert/strict";
import { createServer as serve } from "node:http";
import { createServer } from "node:net";
import { test } from "node:test";

import { connect } from "backsync";
import { attach } from "backsync/backbone";
import { memoryConnector, restConnector } from "backsync/connectors";
import { memory, openOffline } from "backsync/offline";
import { clientOf, freshBackbone, own, startBroker } from "./lib/backbone.mjs";
import { until } from "./lib/until.mjs";
import { WAYS } from "./lib/ways.mjs";

/** Each is over a broker of its own; `isDeaf`: over what never answers. */
const CONNECTORS = {
  "a client": async (t, { isDeaf } = {}) => clientOf(t, isDeaf ? { url: await deafServer(t) } : await startBroker(t)),
  "a client that goes on offline": async (t, { isDeaf } = {}) => {
    const url = isDeaf ? await deafServer(t) : (await startBroker(t)).url;
    const offline = await openOffline(url, { storage: memory(), transports: [WAYS.websocket()] });
    t.after(() => offline.close());
    return offline;
  },
  memory: async () => memoryConnector(),
  REST: async (t, { isDeaf } = {}) => restConnector(`${isDeaf ? await deafServer(t) : (await startBroker(t)).url}/api`, { every: 20 }),
};

/** The URL of a server that takes connections, and says nothing. */
async function deafServer(t) {
  const sockets = new Set();
  const server = createServer((socket) => sockets.add(socket.on("error", () => {})));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

const plain = (records) => records.map(({ _rev, _lastChange, ...rest }) => rest);

for (const [name, make] of Object.entries(CONNECTORS)) {
  /** Opens collections that are closed with the test. */
  const begin = async (t) => {
    const connector = await make(t);
    return (model, options) => {
      const collection = connector.collection(model, options);
      t.after(() => collection.close());
      return collection;
    };
  };

  test(`${name}: what is written is there, and members that are not given stay`, async (t) => {
    const open = await begin(t);
    const tasks = open("Task");
    await tasks.ready;
    assert.deepEqual([tasks.state, tasks.records], ["live", []]);
    const made = await tasks.upsert({ title: "sweep", n: 1 });
    assert.ok(made.id.length > 0 && made._rev > 0);
    await tasks.upsert({ id: made.id, n: 2 });
    await tasks.upsert({ id: 7, title: "rest", n: 3 });
    await until(tasks, () => tasks.size === 2 && tasks.get(made.id).n === 2);
    assert.deepEqual(plain(tasks.records), [{ id: made.id, title: "sweep", n: 2 }, { id: "7", title: "rest", n: 3 }]);
    await tasks.upsert({ id: "7", only: true }, { replace: true });
    await tasks.delete(made.id);
    await tasks.delete("nobody");
    await until(tasks, () => tasks.size === 1 && tasks.get(7).only);
    assert.deepEqual(plain(tasks.records), [{ id: "7", only: true }]);
  });

  test(`${name}: who looks for some hears when they come, go and leave`, async (t) => {
    const open = await begin(t);
    const all = open("Task");
    await all.ready;
    await all.upsert([{ id: "a", done: false }, { id: "b", done: true }, { id: "c", done: false, n: 2 }]);
    const [undone, some] = [open("Task", { where: { done: false }, sort: "-n" }), open("Task", { ids: ["b", "d"] })];
    await Promise.all([undone.ready, some.ready]);
    assert.deepEqual([undone.records, some.records].map((records) => records.map(({ id }) => id)), [["c", "a"], ["b"]]);
    const said = [];
    // What was written here may be told once more when the server has said how it is.
    const say = (...word) => said.at(-1)?.join() === word.join() || said.push(word);
    undone.on("upsert", ({ id }, before) => before && id !== "a" ? undefined : say(id, before !== undefined));
    undone.on("delete", ({ id }) => say(id));
    await all.upsert({ id: "a", n: 1 });
    await until(undone, () => undone.get("a").n === 1);
    await all.upsert({ id: "c", done: true });
    await until(undone, () => !undone.has("c"));
    await all.upsert({ id: "d", done: false });
    await until(undone, () => undone.has("d"));
    await all.delete("a");
    await until(undone, () => !undone.has("a"));
    await until(some, () => some.has("d"));
    assert.deepEqual(said, [["a", true], ["c"], ["d", false], ["a"]]);
    assert.deepEqual([...some].map(({ id }) => id), ["b", "d"]);
    undone.close();
    await all.upsert({ id: "e", done: false });
    assert.deepEqual([undone.has("e"), undone.state], [false, "closed"]);
  });

  test(`${name}: who is refused hears why, and nothing is otherwise`, async (t) => {
    const open = await begin(t);
    const tasks = open("Task");
    await tasks.ready;
    const { _rev } = await tasks.upsert({ id: "a", n: 1 });
    await tasks.upsert({ id: "a", n: 2 });
    const refused = { code: "conflict" };
    await assert.rejects(tasks.upsert({ id: "a", n: 3, _rev }, { policy: "server-wins" }), refused);
    await assert.rejects(tasks.upsert([{ id: "b" }, { id: "a", n: 3, _rev }], { policy: "server-wins" }), refused);
    await assert.rejects(tasks.delete({ id: "a", _rev }, { policy: "server-wins" }), refused);
    await assert.rejects(tasks.delete([{ id: "a", _rev }], { policy: "server-wins" }), refused);
    await assert.rejects(tasks.delete("a", { policy: "server-wins", base: _rev }), refused);
    await until(tasks, () => tasks.get("a")?.n === 2 && tasks.size === 1);
    assert.deepEqual(plain(tasks.records), [{ id: "a", n: 2 }]);
    await tasks.delete({ id: "a", _rev: tasks.get("a")._rev }, { policy: "server-wins" });
    await until(tasks, () => tasks.size === 0);
  });

  // What is in memory answers at once.
  if (name !== "memory") test(`${name}: who waits no longer hears why`, async (t) => {
    const tasks = (await make(t, { isDeaf: true })).collection("Task");
    t.after(() => tasks.close());
    for (const write of [(patience) => tasks.upsert({ id: "a" }, patience), (patience) => tasks.delete("a", patience)]) {
      await assert.rejects(write({ timeout: 1 }), { name: "BacksyncError", code: "timeout" });
      await assert.rejects(write({ timeout: 60_000, signal: AbortSignal.abort("enough") }), (reason) => reason === "enough");
    }
  });

  test(`${name}: Backbone stands on it`, async (t) => {
    const connector = await make(t);
    const { Model, Collection } = attach(freshBackbone(), connector, { sync: "socket", live: true });
    const Task = Model.extend({ modelName: "Task" });
    const [one, two] = [0, 1].map(() => new (Collection.extend({ model: Task }))());
    await Promise.all([one.fetch(), two.fetch()]);
    const come = new Promise((resolve) => two.once("add", resolve));
    const made = one.create({ title: "sweep" });
    assert.equal((await come).get("title"), "sweep");
    const changed = new Promise((resolve) => two.once("change:title", resolve));
    await made.save({ title: "rest" });
    await changed;
    const read = new Task({ id: made.id });
    await read.fetch();
    assert.deepEqual(own(read), { id: made.id, title: "rest" });
    const gone = new Promise((resolve) => two.once("remove", resolve));
    await read.destroy();
    await gone;
    await assert.rejects(new Task({ id: "nobody" }).fetch(), { code: "not_found" });
    for (const tasks of [one, two]) tasks.stopListening();
  });
}

test("by REST what others do is heard of at the next look, and what is as it was is not sent", async (t) => {
  const broker = await startBroker(t);
  const statuses = [];
  const connector = restConnector(`${broker.url}/api/`, {
    every: 5,
    headers: () => ({ "x-who": "me" }),
    fetch: async (url, init) => {
      assert.equal(init.headers["x-who"], "me");
      const response = await fetch(url, init);
      statuses.push(response.status);
      return response;
    },
  });
  const tasks = connector.collection("Task");
  t.after(() => tasks.close());
  await tasks.ready;
  const somebody = connect(broker.url, { transports: [WAYS.websocket()] });
  t.after(() => somebody.close());
  await somebody.upsert("Task", { id: "x", n: 1 });
  await until(tasks, () => tasks.get("x")?.n === 1);
  await somebody.delete("Task", "x");
  await until(tasks, () => tasks.size === 0);
  while (!statuses.includes(304)) await new Promise((resolve) => setTimeout(resolve, 5));
  await broker.stop();
  await until(tasks, () => tasks.state === "stale");
  await assert.rejects(tasks.upsert({ id: "y" }), { code: "unreachable", retry: true });
  await broker.killAndRestart();
  await until(tasks, () => tasks.state === "live");
});

test("by REST the beginning of an answer is taken for none", async (t) => {
  let isCut = true;
  const server = serve((request, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    if (request.method === "GET") return response.end("[]");
    response.write('{"id":', () => isCut && response.destroy());
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const tasks = restConnector(`http://127.0.0.1:${server.address().port}/api`, { every: false }).collection("Task");
  t.after(() => tasks.close());
  await assert.rejects(tasks.upsert({ id: "a" }), { code: "unreachable", retry: true });
  isCut = false;
  await assert.rejects(tasks.upsert({ id: "a" }, { timeout: 50 }), { code: "timeout" });
});

test("by REST what is written or deleted is compared with what it was made from, as the model has it", async (t) => {
  const broker = await startBroker(t, ["models.Firm.policy=server-wins"]);
  const tasks = restConnector(`${broker.url}/api`).collection("Task");
  t.after(() => tasks.close());
  const { _rev } = await tasks.upsert({ id: "a", n: 1 });
  await tasks.upsert({ id: "a", n: 2 });
  const firm = restConnector(`${broker.url}/api`).collection("Firm");
  t.after(() => firm.close());
  const made = await firm.upsert({ id: "a", n: 1 });
  await firm.upsert({ id: "a", n: 2 });
  const stale = [
    () => firm.delete("a", { base: made._rev }),
    () => firm.delete(made),
    () => firm.upsert({ id: "a", n: 3 }, { base: made._rev }),
  ];
  for (const write of stale) await assert.rejects(write, { code: "conflict" });
  await firm.delete("a");
  const wrong = [() => tasks.upsert([{ id: "a", n: 3 }], { base: _rev }), () => tasks.delete(["a"], { base: _rev })];
  for (const write of wrong) await assert.rejects(write, { code: "invalid_options" });
  await tasks.delete({ id: "a", _rev });
  await until(tasks, () => tasks.state === "live" && tasks.size === 0);
});

test("by REST who may not look is told so", async (t) => {
  const broker = await startBroker(t);
  const connector = restConnector(`${broker.url}/api`);
  const wrong = connector.collection("Task", { where: { n: { $near: 1 } } });
  t.after(() => wrong.close());
  await assert.rejects(wrong.ready, { code: "invalid_filter" });
  const nobody = restConnector("http://127.0.0.1:1/api", { every: false }).collection("Task");
  t.after(() => nobody.close());
  await assert.rejects(nobody.ready, { code: "unreachable" });
});

test("what a page begins with in memory is there, and policies that it cannot keep are refused", async () => {
  const connector = memoryConnector({ Task: [{ id: "x", n: 1 }] });
  const tasks = connector.collection("Task");
  assert.deepEqual(plain(tasks.records), [{ id: "x", n: 1 }]);
  await assert.rejects(tasks.upsert({ id: "x", n: 2 }, { policy: "merge" }), TypeError);
});
