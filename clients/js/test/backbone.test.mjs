/** Backbone over a client: what is written, read and heard. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { attach } from "backsync/backbone";
import { becomes, clientOf, freshBackbone, happens, heard, own, setUp, startBroker } from "./lib/backbone.mjs";
import { FIRST_SAMPLE } from "./lib/first-sample.mjs";

test("the sample of the first backsync runs as it stands", async (t) => {
  const { client, Backbone, somebody } = await setUp(t, { options: { global: true } });
  const Messages = new Function("Backbone", `${FIRST_SAMPLE} return Messages;`)(Backbone);

  await somebody.upsert("ChatMessage", { id: "m1", text: "hello" });
  const messages = new Messages();
  await messages.fetch();
  assert.deepEqual(messages.map(own), [{ id: "m1", text: "hello" }]);
  const made = messages.create({ text: "mine" });
  await happens(made, "sync");
  assert.deepEqual(messages.map(({ id }) => id), ["m1", made.id], "its own push finds it");
  const changed = happens(messages, "change:text");
  const added = happens(messages, "add");
  await somebody.upsert("ChatMessage", [{ id: "m1", text: "hello, world" }, { id: "m2", text: "hi" }]);
  await Promise.all([changed, added]);
  await messages.get("m1").destroy();
  const removed = happens(messages, "remove");
  await somebody.delete("ChatMessage", "m2");
  await removed;
  await made.save({ text: "still mine" });
  await heard(client, somebody, "ChatMessage");
  assert.deepEqual(messages.map(own), [{ id: made.id, text: "still mine" }]);
  assert.deepEqual((await somebody.read("ChatMessage")).map(({ text }) => text), ["still mine"]);
});

test("who binds without reading hears what comes, and nothing that was there", async (t) => {
  const { backsync, somebody, client } = await setUp(t);
  await somebody.upsert("Task", { id: "old" });
  const tasks = new (backsync.Collection.extend({ url: "Task" }))();
  const said = [];
  tasks.syncBind("upsert", (data) => said.push(data.id));
  await heard(client, somebody, "Task");
  await somebody.upsert("Task", { id: "new" });
  await heard(client, somebody, "Task");
  assert.deepEqual(said.filter((id) => !id.startsWith("mark")), ["new"]);
  for (const method of ["read", "toString", ""]) {
    assert.throws(() => tasks.syncBind(method, () => {}), TypeError);
    assert.throws(() => tasks.syncUnbind(method), TypeError);
  }
  await somebody.upsert("Task", { id: "newer" });
  await heard(client, somebody, "Task");
  assert.deepEqual(said.filter((id) => !id.startsWith("mark")), ["new", "newer"], "and nobody was unbound");
  tasks.syncUnbind();
  await notPushed(client, somebody, "Task");
});

/** Nothing of the model is pushed any more. */
async function notPushed(client, somebody, model) {
  const pushes = [];
  const stop = client.on("push", (push) => pushes.push(push));
  await client.request(`${model}:read`, {}, { options: { listen: false } });
  await somebody.upsert(model, { id: `late-${Math.random()}` });
  await client.request(`${model}:read`, {}, { options: { listen: false } });
  stop();
  assert.deepEqual(pushes, []);
}

test("a handler is unbound by itself, and with who listens", async (t) => {
  const { Backbone, backsync, somebody, client } = await setUp(t);
  const tasks = new (backsync.Collection.extend({ modelName: "Task" }))();
  const said = [];
  const handler = function (data) {
    said.push([this.name, data.id]);
  };
  const [one, plain, view] = [Object.assign({ name: "one" }, Backbone.Events), { name: "plain" }, Object.assign(new Backbone.Model(), { name: "view" })];
  for (const context of [one, plain, view]) tasks.syncBind("upsert", handler, context);
  await tasks.fetch();
  const writes = async (id) => {
    await somebody.upsert("Task", { id });
    await heard(client, somebody, "Task");
  };
  await writes("a");
  tasks.syncUnbind("upsert", handler, plain);
  await writes("b");
  view.stopListening();
  await writes("c");
  tasks.syncUnbind();
  await writes("d");
  const wanted = [["one", "a"], ["plain", "a"], ["view", "a"], ["one", "b"], ["view", "b"], ["one", "c"]];
  assert.deepEqual(said.filter(([, id]) => id.length === 1), wanted);
});

test("a collection that stops listening is told no more, and the server says no more", async (t) => {
  const { backsync, somebody, client } = await setUp(t);
  const tasks = new (backsync.Collection.extend({ modelName: "Task", config: { live: true } }))();
  await tasks.fetch();
  tasks.stopListening();
  await notPushed(client, somebody, "Task");
  assert.equal(tasks.length, 0);
});

test("a live collection is as the server has it, in its order, and what it does itself is done once", async (t) => {
  const { backsync, somebody, client } = await setUp(t);
  const Tasks = backsync.Collection.extend({ modelName: "Task", config: { live: true } });
  const tasks = new Tasks();
  await somebody.upsert("Task", [{ id: "a", n: 1, gone: true }, { id: "b", n: 2 }]);
  await tasks.fetch();
  const events = [];
  tasks.on("add remove change", (model, ...more) => events.push([model.id, more.at(-1).remote]));
  await somebody.upsert("Task", { id: "a", n: 3 }, { replace: true });
  await somebody.upsert("Task", { id: "c", n: 4 });
  await somebody.delete("Task", "b");
  await heard(client, somebody, "Task");
  assert.deepEqual(tasks.map(own), [{ id: "a", n: 3 }, { id: "c", n: 4 }]);
  assert.deepEqual(events.filter(([id]) => !id.startsWith("mark")), [["a", true], ["a", true], ["c", true], ["b", true]]);
  const made = tasks.create({ n: 5 });
  await happens(made, "sync");
  await tasks.get("a").save({ n: 6 }, { patch: true });
  await tasks.get("c").destroy();
  await heard(client, somebody, "Task");
  assert.deepEqual(tasks.map(own), [{ id: "a", n: 6 }, { id: made.id, n: 5 }]);
});

test("a handler that saves each change does not begin a circle", async (t) => {
  const { backsync, somebody, client, broker } = await setUp(t);
  const other = attach(freshBackbone(), clientOf(t, broker), { sync: "socket", live: true });
  const both = [backsync, other].map((one) => new (one.Collection.extend({ modelName: "Task", config: { live: true } }))());
  await somebody.upsert("Task", { id: "x", n: 0 });
  for (const tasks of both) {
    await tasks.fetch();
    tasks.on("change:n", (model) => model.save());
  }
  await both[0].get("x").save({ n: 1 });
  await heard(client, somebody, "Task");
  const [{ _rev }] = await somebody.read("Task", { ids: ["x"] });
  await heard(client, somebody, "Task");
  assert.deepEqual([(await somebody.read("Task", { ids: ["x"] }))[0]._rev, both.map((tasks) => tasks.get("x").get("n"))], [_rev, [1, 1]]);
});

test("what is being written stays as it is until it is answered", async (t) => {
  const { backsync, somebody, client } = await setUp(t);
  const tasks = new (backsync.Collection.extend({ modelName: "Task", config: { live: true } }))();
  await somebody.upsert("Task", { id: "x", n: 0 });
  await tasks.fetch();
  const seen = [];
  const task = tasks.get("x");
  task.on("change:n", () => seen.push(task.get("n")));
  const first = task.save({ n: 1 });
  const second = task.save({ n: 2 });
  await Promise.all([first, second]);
  await heard(client, somebody, "Task");
  assert.deepEqual([seen, task.get("n")], [[1, 2], 2], "not 1 again");
});

test("a write that is refused is taken back where changes are applied", async (t) => {
  const { backsync, somebody } = await setUp(t);
  const tasks = new (backsync.Collection.extend({ modelName: "Task", config: { live: true, policy: "server-wins" } }))();
  await somebody.upsert("Task", { id: "x", n: 0 });
  await tasks.fetch();
  const task = tasks.get("x");
  await somebody.upsert("Task", { id: "x", n: 1 });
  task.set({ _rev: 1 }, { silent: true });
  const errors = [];
  await assert.rejects(task.save({ n: 2 }, { error: (model, error) => errors.push(error.code) }), { code: "conflict" });
  assert.deepEqual([errors, task.get("n")], [["conflict"], 1]);
});

test("who hears of a record in two ways is told once, and nobody of what they did themselves", async (t) => {
  const { backsync, somebody, client } = await setUp(t);
  const tasks = new (backsync.Collection.extend({ modelName: "Task" }))();
  await somebody.upsert("Task", { id: "x", n: 0 });
  await tasks.fetch();
  const task = tasks.get("x");
  await task.subscribe().fetch();
  const told = [];
  task.on("updated:n", (_, value) => told.push(value));
  await somebody.upsert("Task", { id: "x", n: 1 });
  await heard(client, somebody, "Task");
  await task.save({ n: 2 }, { patch: true });
  await heard(client, somebody, "Task");
  assert.deepEqual(told, [1]);
});

test("who looks for something else hears of that alone", async (t) => {
  const { backsync, somebody, client } = await setUp(t);
  const tasks = new (backsync.Collection.extend({ modelName: "Task", config: { live: true } }))();
  await tasks.fetch({ where: { list: "a" } });
  await tasks.fetch({ where: { list: "b" } });
  await somebody.upsert("Task", [{ id: "x", list: "a" }, { id: "y", list: "b" }]);
  await becomes(tasks, () => tasks.has("y"));
  await heard(client, somebody, "Task");
  assert.deepEqual(tasks.pluck("id"), ["y"]);
});

test("a model that waits for its answer is the one that its collection gets", async (t) => {
  const { backsync, somebody, client } = await setUp(t);
  const tasks = new (backsync.Collection.extend({ modelName: "Task", config: { live: true } }))();
  await tasks.fetch();
  const made = tasks.create({ n: 1 }, { wait: true });
  assert.equal(tasks.length, 0);
  await happens(made, "sync");
  await heard(client, somebody, "Task");
  assert.deepEqual([tasks.length, tasks.get(made.id) === made, own(made)], [1, true, { n: 1, id: made.id }]);
});

test("who is bound and reads in one turn is asked for what it reads alone", async (t) => {
  const { backsync, somebody, client, way } = await setUp(t);
  const Tasks = backsync.Collection.extend({
    modelName: "Task",
    initialize: function () {
      this.said = [];
      this.syncBind("upsert", ({ id }) => this.said.push(id));
    },
  });
  const tasks = new Tasks();
  await tasks.fetch({ data: { where: { done: false } } });
  const asked = way.sent.filter(({ event }) => event === "Task:read").map(({ data }) => data);
  assert.deepEqual(asked, [{ where: { done: false } }]);
  const refused = new Tasks();
  await assert.rejects(refused.fetch({ data: { where: { $near: 1 } }, sync: "ajax" }));
  const [told] = [happens(tasks, "backsync:upsert"), await heard(client, somebody, "Task")];
  await somebody.upsert("Task", { id: "x", done: false });
  await Promise.all([told, heard(client, somebody, "Task")]);
  assert.deepEqual([tasks.said, refused.said.filter((id) => id === "x")], [["x"], ["x"]]);
});

test("who may not listen is told so", async (t) => {
  const { backsync } = await setUp(t);
  const tasks = new (backsync.Collection.extend({ modelName: "Task", config: { where: { $near: 1 } } }))();
  const told = happens(tasks, "error");
  tasks.subscribe();
  assert.equal((await told)[1].code, "invalid_filter");
});

test("models are read, written and deleted, and callbacks and events are Backbone's", async (t) => {
  const { backsync, somebody } = await setUp(t);
  const Task = backsync.Model.extend({ urlRoot: "Task" });
  const task = new Task({ title: "sweep" });
  const said = [];
  task.on("request sync destroy", function () {
    said.push(arguments[0] === task);
  });
  await task.save(null, { success: (model, data) => said.push(data.title) });
  assert.equal(task.isNew(), false);
  await task.save({ done: true }, { patch: true });
  task.unset("title");
  await task.save();
  assert.deepEqual((await somebody.read("Task")).map(({ id, _rev, ...rest }) => rest), [{ done: true }]);
  await somebody.upsert("Task", { id: task.id, n: 7 });
  await task.fetch();
  assert.equal(task.get("n"), 7);
  await task.destroy();
  assert.deepEqual([await somebody.read("Task"), said], [[], [true, "sweep", true, true, true, true, true, true, true, true, true, true]]);
  await assert.rejects(new Task({ id: "nobody" }).fetch(), { code: "not_found" });
});

test("an id may stand at another attribute", async (t) => {
  const { backsync, somebody } = await setUp(t);
  const Task = backsync.Model.extend({ modelName: "Task", idAttribute: "key" });
  const Tasks = backsync.Collection.extend({ model: Task, config: { live: true } });
  const tasks = new Tasks();
  await tasks.fetch();
  const added = happens(tasks, "add");
  await somebody.upsert("Task", { id: "x", n: 1 });
  await added;
  assert.deepEqual([tasks.get("x").id, tasks.get("x").get("key")], ["x", "x"]);
  await tasks.get("x").save({ n: 2 });
  const [{ id, n, key }] = await somebody.read("Task");
  assert.deepEqual([id, n, key], ["x", 2, undefined]);
});

test("what is looked for is heard, a part of it only the records that came", async (t) => {
  const { backsync, somebody, client } = await setUp(t);
  await somebody.upsert("Task", [1, 2, 3, 4].map((n) => ({ id: `t${n}`, n, even: n % 2 === 0 })));
  const Tasks = backsync.Collection.extend({ modelName: "Task", config: { live: true } });
  const [even, first] = [new Tasks([], { where: { even: true }, sort: "-n" }), new Tasks()];
  await even.fetch();
  await first.fetch({ data: { sort: "-n", limit: 2 } });
  assert.deepEqual([even.pluck("id"), first.pluck("id")], [["t4", "t2"], ["t4", "t3"]]);
  await somebody.upsert("Task", [{ id: "t5", n: 3, even: true }, { id: "t3", n: 9 }, { id: "t2", n: 5 }]);
  await somebody.delete("Task", "t4");
  await becomes(even, () => !even.has("t4") && even.has("t5"));
  await heard(client, somebody, "Task");
  assert.deepEqual([even.pluck("id"), first.pluck("id"), first.get("t3").get("n")], [["t2", "t5"], ["t3"], 9]);
});
