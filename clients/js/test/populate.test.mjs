/** Collections whose references have the records themselves in the places of the ids. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Collection, connect } from "backsync";
import { memoryConnector, restConnector, WatchedSource } from "backsync/connectors";
import { memory, openOffline } from "backsync/offline";
import { populated } from "backsync/populate";
import { clientOf, startBroker } from "./lib/backbone.mjs";
import { Faulty } from "./lib/faulty.mjs";
import { Scripted, settled } from "./lib/scripted.mjs";
import { until } from "./lib/until.mjs";
import { WAYS } from "./lib/ways.mjs";

const OPENERS = {
  "a client": async (t) => clientOf(t, await startBroker(t)),
  "a client that goes on offline": async (t) => {
    const { url } = await startBroker(t);
    const offline = await openOffline(url, { storage: memory(), transports: [WAYS.websocket()] });
    t.after(() => offline.close());
    return offline;
  },
  memory: async () => memoryConnector(),
  REST: async (t) => restConnector(`${(await startBroker(t)).url}/api`, { every: 20 }),
};

/** Opens collections of `opener`, populated or not, that are closed with the test. */
function opening(t, opener) {
  const all = populated(opener);
  return async (model, options) => {
    const collection = all.collection(model, options);
    t.after(() => collection.close());
    await collection.ready;
    return collection;
  };
}

/** Without what is the server's, at any depth. */
const plain = (value) => JSON.parse(JSON.stringify(value, (name, member) => (name.startsWith("_") ? undefined : member)));
const shown = (collection) => plain(collection.records);

for (const [name, make] of Object.entries(OPENERS)) {
  test(`${name}: what is referred to is there, and follows`, async (t) => {
    const open = opening(t, await make(t));
    const [users, tasks] = [await open("User"), await open("Task")];
    await users.upsert([{ id: "ada", name: "Ada" }, { id: "bob", name: "Bob" }, { id: "cy", name: "Cy" }]);
    await tasks.upsert([{ id: "t1", owner: "ada", watchers: ["bob", "nobody", "ada"] }, { id: "t2", owner: null }, { id: "t3" }]);
    const filled = await open("Task", { populate: { owner: "User", watchers: "User" }, sort: "-id" });
    const [ada, bob, cy] = ["Ada", "Bob", "Cy"].map((name) => ({ id: name.toLowerCase(), name }));
    assert.deepEqual(shown(filled), [{ id: "t3" }, { id: "t2", owner: null }, { id: "t1", owner: ada, watchers: [bob, "nobody", ada] }]);
    const first = () => plain(filled.get("t1"));

    await users.upsert({ id: "ada", name: "Ada L." });
    await until(filled, () => filled.get("t1").owner.name === "Ada L." && filled.get("t1").watchers[2].name === "Ada L.");
    await tasks.upsert({ id: "t1", owner: "cy", watchers: ["cy"] });
    await until(filled, () => filled.get("t1").owner.id === "cy");
    assert.deepEqual(first(), { id: "t1", owner: cy, watchers: [cy] });
    await users.upsert({ id: "nobody", name: "Somebody" });
    await filled.upsert({ ...filled.get("t1"), watchers: [filled.get("t1").owner, "nobody"], done: true });
    assert.deepEqual(plain(tasks.get("t1") ?? {}), { id: "t1", owner: "cy", watchers: ["cy", "nobody"], done: true }, "ids are written");
    await until(filled, () => filled.get("t1").watchers[1]?.name === "Somebody");
    await users.delete("cy");
    await until(filled, () => filled.get("t1").owner === "cy");
    await filled.delete("t1");
    await until(filled, () => !filled.has("t1"));
    assert.equal(filled.state, "live");
  });

  test(`${name}: what others keep is there, at any depth, and follows`, async (t) => {
    const open = opening(t, await make(t));
    const [users, posts, comments] = [await open("User"), await open("Post"), await open("Comment")];
    await users.upsert({ id: "u1", name: "Ada" });
    await posts.upsert([{ id: "1" }, { id: "11" }]);
    await comments.upsert([{ id: "c1", post: "11", by: "u1" }, { id: "c2", post: ["1", "x"] }]);
    const filled = await open("Post", { populate: { comments: { model: "Comment", via: "post", populate: { by: "User" } } } });
    const by = () => Object.fromEntries(filled.records.map(({ id, comments }) => [id, comments.map(({ id, by }) => `${id} ${by?.name}`)]));
    assert.deepEqual(by(), { 1: ["c2 undefined"], 11: ["c1 Ada"] }, "an id within another is none");
    await users.upsert({ id: "u1", name: "Ada L." });
    await until(filled, () => by()[11][0] === "c1 Ada L.");
    await comments.upsert([{ id: "c1", post: "1" }, { id: "c3", post: "11", by: "u1" }]);
    await until(filled, () => by()[1].length === 2 && by()[11].length === 1);
    assert.deepEqual(by()[11], ["c3 Ada L."]);
    await comments.delete("c3");
    await until(filled, () => by()[11].length === 0);
    await filled.upsert(filled.records);
    assert.ok(posts.records.every((post) => !("comments" in post)), "nothing of it is written");
  });
}

async function begin(t) {
  const server = new Scripted();
  const client = connect("http://server", { transports: [server.transport], reconnect: { first: 0, longest: 0 } });
  t.after(() => client.close());
  await settled();
  const filled = populated(client).collection("Task", { populate: { owner: "User" } });
  const told = [];
  for (const event of ["upsert", "delete", "reset", "state"]) {
    filled.on(event, (what) => told.push([event, what?.id ? `${what.id} ${what.owner?.name ?? what.owner}` : Array.isArray(what) ? what.length : what]));
  }
  /** The question whose data is this, answered. */
  const answer = (event, ids, reply) => {
    const asked = server.link.sent.findLast(({ event: name, data }) => name === event && JSON.stringify(data?.ids) === JSON.stringify(ids));
    assert.ok(asked, `${event} ${ids}`);
    server.link.say({ id: asked.id, position: "p", data: [], ...reply });
  };
  const push = (event, data) => server.link.say({ event, data, position: "q" });
  const news = () => told.splice(0);
  const shown = () => filled.records.map(({ id, owner }) => `${id} ${owner?.name ?? owner}`);
  return { server, client, filled, answer, push, news, shown };
}

const task = (id, owner, _rev = 1) => ({ id, owner, _rev });
const user = (id, name = id.toUpperCase()) => ({ id, name });

test("a record is shown when all of it is there, in its place, and nobody sees half of it", async (t) => {
  const { server, filled, answer, push, news, shown } = await begin(t);
  answer("Task:read", undefined, { data: [task("1", "a"), task("2", "b")] });
  assert.deepEqual([filled.state, news()], ["loading", []]);
  answer("User:read", ["a", "b"], { data: [user("a"), user("b")] });
  assert.deepEqual([news(), shown()], [[["reset", 2], ["state", "live"]], ["1 A", "2 B"]]);

  push("Task:upsert", task("3", "c"));
  push("Task:upsert", task("4", "a"));
  push("Task:upsert", task("1", "d"));
  assert.deepEqual([news(), shown(), filled.source.isBehind], [[["upsert", "4 A"]], ["1 A", "2 B", "4 A"], true]);
  answer("User:read", ["c"], { data: [user("c")] });
  answer("User:read", ["d"], {});
  assert.deepEqual([news(), shown()], [[["upsert", "3 C"], ["upsert", "1 d"]], ["1 d", "2 B", "3 C", "4 A"]]);
  assert.equal(filled.source.isBehind, false);

  push("User:upsert", user("a", "Ada"));
  push("User:upsert", user("e"));
  assert.deepEqual(news(), [["upsert", "4 Ada"]]);
  push("Task:upsert", task("5", "f"));
  push("Task:delete", task("5", "f"));
  answer("Task:read", undefined, {});
  assert.deepEqual([news(), filled.has("5")], [[], false], "what goes before it was shown was never there");
  assert.equal(server.link.sent.filter(({ event }) => event === "User:read").length, 4);
});

test("only those are listened to that somebody leads to", async (t) => {
  const { server, filled, answer, push } = await begin(t);
  const ended = () => server.link.sent.flatMap(({ event, data }) => (event.endsWith(":unsubscribe") ? [[event.split(":")[0], data.ids]] : []));
  answer("Task:read", undefined, { data: [task("1", "a"), task("2", "b")] });
  answer("User:read", ["a", "b"], { data: [user("a"), user("b")] });
  push("Task:delete", task("1", "a"));
  assert.deepEqual(ended(), []);
  push("Task:upsert", task("2", "c", 2));
  assert.deepEqual(ended(), [["User", ["a", "b"]]]);
  answer("User:read", ["c"], { data: [user("c")] });
  filled.close();
  assert.deepEqual(ended().slice(1).map(([model]) => model).sort(), ["Task", "User"]);
  assert.deepEqual(filled.records.map(({ owner }) => owner.name), ["C"], "what was seen stays to be seen");
});

test("it stands as that does which it stands on", async (t) => {
  const { server, client, filled, answer, news, shown } = await begin(t);
  answer("Task:read", undefined, { data: [task("1", "a")] });
  const error = { code: "forbidden", message: "not yours", retry: false };
  answer("User:read", ["a"], { data: null, error });
  await assert.rejects(filled.ready, { code: "forbidden" });
  assert.deepEqual([filled.state, filled.error.code], ["failed", "forbidden"]);
  news();
  const authenticated = client.authenticate("t");
  server.link.say({ id: server.link.sent.at(-1).id, data: {} });
  await authenticated;
  answer("User:read", ["a"], { data: [user("a")] });
  assert.deepEqual([news(), filled.error], [[["upsert", "1 A"], ["state", "live"]], undefined]);

  server.link.close();
  while (filled.state !== "stale") await settled();
  assert.deepEqual([news(), shown()], [[["state", "stale"]], ["1 A"]]);
  while (server.links.length < 2 || server.link.sent.length < 2) await settled();
  // Who is led to now is asked for when the records are known.
  answer("User:read", ["a"], {});
  answer("Task:read", undefined, { data: [task("1", "b", 2)] });
  assert.equal(filled.state, "live");
  assert.deepEqual(shown(), ["1 A"]);
  answer("User:read", ["b"], { data: [user("b")] });
  assert.deepEqual([shown(), news().at(-1)], [["1 B"], ["upsert", "1 B"]]);
  client.close();
  assert.equal(filled.state, "closed");
});

test("a server that begins anew is shown anew, when all of it is there", async (t) => {
  const { filled, answer, push, news, shown } = await begin(t);
  answer("Task:read", undefined, { data: [task("1", "a"), task("2", "b")] });
  answer("User:read", ["a", "b"], { data: [user("a"), user("b")] });
  news();
  push("Task:reset", [task("2", "b"), task("3", "c")]);
  assert.deepEqual([news(), shown()], [[], ["1 A", "2 B"]]);
  push("User:upsert", user("b", "Bob"));
  answer("User:read", ["c"], { data: [user("c")] });
  assert.deepEqual([news(), shown(), filled.state], [[["reset", 2]], ["2 Bob", "3 C"], "live"]);
});

test("what cannot be asked for is not waited for", async (t) => {
  const { server, filled, answer, push, news, shown } = await begin(t);
  answer("Task:read", undefined, { data: [task("1", "a")] });
  answer("User:read", ["a"], { data: [user("a")] });
  push("Task:upsert", task("2", "b"));
  assert.deepEqual(shown(), ["1 A"]);
  news();
  server.link.close();
  while (filled.state !== "stale") await settled();
  assert.deepEqual([news(), shown()], [[["upsert", "2 b"], ["state", "stale"]], ["1 A", "2 b"]]);
});

test("a connection that is lost in the midst of it leaves what there is", async (t) => {
  const broker = await startBroker(t);
  const line = new Faulty(WAYS.websocket());
  const [client, somebody] = [clientOf(t, broker, { transports: [line.transport] }), clientOf(t, broker)];
  await somebody.upsert("User", [user("a"), user("b")]);
  await somebody.upsert("Task", [task("1", "a")]);
  const filled = populated(client).collection("Task", { populate: { owner: "User" } });
  await filled.ready;
  line.down();
  await until(filled, () => filled.state === "stale");
  await somebody.upsert("User", user("a", "Ada"));
  await somebody.upsert("Task", [task("2", "b"), task("3", "a")]);
  line.up();
  await until(filled, () => filled.size === 3 && filled.state === "live");
  assert.deepEqual(filled.records.map(({ owner }) => owner.name), ["Ada", "B", "Ada"]);
});

test("who asks for it in other words is told the right ones", async (t) => {
  const { client } = await begin(t);
  assert.throws(() => client.collection("Task", { populate: { owner: "User" } }), /backsync\/populate/);
  assert.throws(() => memoryConnector().collection("Task", { populate: "owner" }), /backsync\/populate/);
  assert.equal(populated(client), populated(client), "for a hook it is the same each time");
  client.collection("Task", { populate: undefined }).close();
  for (const populate of ["owner", ["owner"]]) assert.throws(() => populated(client).collection("Task", { populate }), /owner|author/);
});

/** Over another source, of which it knows nothing until it is released. */
class Slow extends WatchedSource {
  #inner;
  #stop;

  constructor(inner) {
    super(inner.model, {});
    this.#inner = inner;
  }

  begin() {
    this.#stop = this.#inner.watch((changes) => this.state === "live" && this.#follow(changes));
  }

  end() {
    this.#stop();
  }

  release() {
    if (this.state !== "loading") return;
    this.#follow([{ type: "reset", records: [...this.#inner.records.values()] }, ...this.become("live")]);
  }

  #follow(changes) {
    this.records = new Map(this.#inner.records);
    this.tell(changes);
  }
}

test("whatever happens in whatever order, what is shown is what was so, and in the end what is so", async () => {
  for (let seed = 1; seed <= 300; seed++) {
    let state = seed;
    const below = (n) => (state = (state * 48271) % 2147483647) % n;
    const table = memoryConnector();
    const [users, tasks] = [table.collection("User"), table.collection("Task")];
    const slow = new Set();
    const opener = {
      collection(model, { sort, ...criteria } = {}) {
        const inner = table.collection(model, criteria);
        if (model === "Task") return inner;
        const source = new Slow(inner.source);
        slow.add(source);
        const collection = new Collection(source);
        inner.close();
        return collection;
      },
    };
    const filled = populated(opener).collection("Task", {
      populate: { owner: "User", watchers: "User", fans: { model: "User", via: "likes" } },
    });
    // What a program makes of what it is told.
    const told = new Map();
    filled.on("reset", (all) => (told.clear(), all.forEach((one) => told.set(one.id, one))));
    filled.on("upsert", (one, before) => (assert.equal(told.get(one.id), before), told.set(one.id, one)));
    filled.on("delete", (one) => assert.ok(told.delete(one.id)));
    const user = () => `u${below(5)}`;
    for (let step = 0; step < 40; step++) {
      const id = `t${below(5)}`;
      switch (below(7)) {
        case 0:
          void tasks.upsert({ id, owner: user() });
          break;
        case 1:
          void tasks.upsert({ id, watchers: [user(), user()], owner: below(2) ? null : user() });
          break;
        case 2:
          void tasks.delete(id);
          break;
        case 3:
          void users.upsert({ id: user(), n: step });
          break;
        case 4:
          void users.upsert({ id: user(), likes: below(2) ? id : [id, "t9"] });
          break;
        case 5:
          void users.delete(user());
          break;
        default:
          [...slow].filter(() => below(2)).forEach((source) => source.release());
      }
      assert.deepEqual([told.size, [...told.values()]], [filled.size, [...told.keys()].map((id) => filled.get(id))], `seed ${seed}`);
    }
    slow.forEach((source) => source.release());
    const by = (id) => users.get(id) ?? id;
    const inOrder = (records) => records.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const wanted = tasks.records.map((task) => ({
      ...task,
      ...(task.owner && { owner: by(task.owner) }),
      ...(task.watchers && { watchers: task.watchers.map(by) }),
      fans: inOrder(users.records.filter(({ likes }) => [likes].flat().includes(task.id))),
    }));
    // Who comes to match stands behind those who did.
    const shown = filled.records.map((task) => ({ ...task, fans: inOrder(task.fans) }));
    assert.deepEqual([shown, filled.state, filled.source.isBehind], [wanted, "live", false], `seed ${seed}`);
    filled.close();
    assert.deepEqual([...slow].filter(({ state }) => state !== "closed"), [], "nothing is left behind");
    users.close();
    tasks.close();
  }
});
