/** By ajax or by the socket: which way requests of Backbone go, and what is heard behind them. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { SyncTimeout } from "backsync/backbone";
import { happens, heard, own, setUp, stands } from "./lib/backbone.mjs";

test("a page has its records by ajax at once, and hears of them when the socket is there", async (t) => {
  const { backsync, somebody, client, way, requests } = await setUp(t, { isDown: true, options: { sync: "ajax socket subscribe" } });
  const Messages = backsync.Collection.extend({ modelName: "Message" });
  const messages = new Messages();
  await somebody.upsert("Message", { id: "m", content: "first" });
  assert.equal(backsync.connected(), false);
  await messages.fetch();
  assert.deepEqual([messages.map(own), requests], [[{ id: "m", content: "first" }], ["GET /api/Message"]]);
  // Nobody hears of it yet.
  await somebody.upsert("Message", { id: "m", content: "second" });
  const updated = [];
  messages.on("updated:content", (message, content) => {
    updated.push(content);
    message.set("content", content);
  });
  const changed = [];
  messages.on("change:content", (_, content) => changed.push(content));
  way.up();
  await stands(client, "open");
  await heard(client, somebody, "Message");
  assert.deepEqual([updated, changed], [["second"], ["second"]], "what changed meanwhile is told");
  await somebody.upsert("Message", { id: "m", content: "third" });
  await heard(client, somebody, "Message");
  assert.deepEqual([updated, backsync.connected(), requests.length], [["second", "third"], true, 1]);
});

for (const [sync, wanted] of [["ajax socket", 0], ["ajax socket subscribe", 0], ["ajax socket subscribe set", 2]]) {
  test(`with ${sync} what changed meanwhile is ${wanted ? "set" : "not set"}`, async (t) => {
    const { backsync, somebody, client, way } = await setUp(t, { isDown: true });
    await somebody.upsert("Task", [{ id: "x", n: 0 }, { id: "y", n: 0 }]);
    const tasks = new (backsync.Collection.extend({ modelName: "Task", config: { sync } }))();
    const task = new (backsync.Model.extend({ modelName: "Task" }))({ id: "x" }, { sync: sync.split(" ") });
    await Promise.all([tasks.fetch(), task.fetch()]);
    await somebody.upsert("Task", { id: "x", n: 2 });
    await somebody.delete("Task", "y");
    way.up();
    await stands(client, "open");
    await heard(client, somebody, "Task");
    const present = () => [tasks.get("x").get("n"), task.get("n"), tasks.has("y")];
    assert.deepEqual(present(), [wanted, wanted, !wanted]);
    await somebody.upsert("Task", { id: "x", n: 3 });
    await heard(client, somebody, "Task");
    assert.deepEqual(present(), [wanted, wanted, !wanted], "what comes now is told");
    assert.equal(way.sent.some(({ event, data }) => event === "Task:read" && data.ids?.[0] === "x"), sync !== "ajax socket");
  });
}

test("what happened while the connection was lost is told, each time it was", async (t) => {
  const { backsync, somebody, client, way } = await setUp(t, { isDown: true, options: { sync: "ajax socket subscribe set" } });
  const tasks = new (backsync.Collection.extend({ modelName: "Task" }))();
  await somebody.upsert("Task", { id: "x", n: 0 });
  await tasks.fetch();
  way.up();
  await stands(client, "open");
  await heard(client, somebody, "Task");
  for (const n of [1, 2]) {
    way.down();
    await stands(client, "waiting");
    await somebody.upsert("Task", { id: "x", n });
    const told = happens(tasks, "updated:n");
    way.up();
    assert.deepEqual((await told).slice(1, 2), [n]);
    assert.equal(tasks.get("x").get("n"), n, "set says so");
  }
});

test("flags are of everything, of a class, of an instance or of a request, the last before the others", async (t) => {
  const { backsync, somebody, requests, way, client } = await setUp(t, { options: { sync: "ajax" } });
  await stands(client, "open");
  await somebody.upsert("Task", { id: "x" });
  const Plain = backsync.Model.extend({ modelName: "Task" });
  const Socket = Plain.extend({ config: { sync: ["socket"] } });
  const asked = async (model, options) => {
    const [before, sent] = [requests.length, way.sent.length];
    await model.fetch(options);
    assert.notEqual(requests.length > before, way.sent.length > sent, "one of both");
    return requests.length > before ? "ajax" : "socket";
  };
  const of = { id: "x" };
  assert.equal(await asked(new Plain(of)), "ajax");
  assert.equal(await asked(new Socket(of)), "socket");
  assert.equal(await asked(new Socket(of, { sync: "ajax" })), "ajax");
  assert.equal(await asked(new Socket(of).configure("sync", "ajax")), "ajax");
  assert.equal(await asked(new Socket(of, { sync: "ajax" }), { sync: "socket" }), "socket");
  backsync.configure({ sync: "socket" });
  assert.equal(await asked(new Plain(of)), "socket");
  assert.throws(() => new Plain(of).fetch({ sync: "carrier pigeon" }), TypeError);
  assert.throws(() => new Plain(of).fetch({ sync: "subscribe" }), TypeError);
});

test("by ajax everything is what the HTTP interface says", async (t) => {
  const { backsync, somebody, requests } = await setUp(t, { options: { sync: "ajax" } });
  const Task = backsync.Model.extend({ modelName: "Task" });
  const task = new Task({ n: 1 });
  await task.save();
  assert.ok(!task.isNew() && task.get("_rev") === 1);
  await task.save({ n: 2 }, { patch: true });
  await task.save({ n: 3, more: true });
  await task.fetch();
  const tasks = new (backsync.Collection.extend({ url: "Task", model: Task }))();
  await tasks.fetch({ data: { where: { n: 3 }, sort: ["-n"], limit: 1, client: "me" } });
  assert.deepEqual(tasks.map(own), [{ id: task.id, n: 3, more: true }]);
  await task.destroy();
  const at = `/api/Task/${task.id}`;
  const listed = 'GET /api/Task?client=me&where={"n":3}&sort=["-n"]&limit=1';
  assert.deepEqual(requests, ["POST /api/Task", `PATCH ${at}`, `PUT ${at}`, `GET ${at}`, listed, `DELETE ${at}?base=3`]);
  assert.deepEqual(await somebody.read("Task"), []);
  await assert.rejects(new Task({ id: "nobody" }).fetch(), { status: 404 });
});

test("ajax is whatever sync a class had", async (t) => {
  const { Backbone, backsync } = await setUp(t, { options: { sync: "ajax" } });
  const calls = [];
  const own = function (method, model, options) {
    calls.push([method, this === model]);
    options.success({ id: "x", from: "elsewhere" });
  };
  const Extended = backsync.Model.extend({ modelName: "Task", sync: own });
  const Installed = backsync.install(Backbone.Model.extend({ modelName: "Task", sync: own }));
  for (const Task of [Extended, Installed]) {
    const task = new Task({ id: "x" });
    await task.fetch();
    assert.equal(task.get("from"), "elsewhere");
  }
  assert.deepEqual(calls, [["read", true], ["read", true]]);
});

test("an answer by ajax that comes late does not bring back what was before", async (t) => {
  const { Backbone, backsync, somebody, client } = await setUp(t);
  const tasks = new (backsync.Collection.extend({ modelName: "Task", config: { live: true } }))();
  await somebody.upsert("Task", { id: "x", n: 0 });
  await tasks.fetch();
  const { ajax } = Backbone;
  let isHeld;
  const held = new Promise((resolve) => (isHeld = resolve));
  Backbone.ajax = (params) => ajax({ ...params, success: (...values) => isHeld(() => params.success(...values)) });
  const task = tasks.get("x");
  const saved = task.save({ n: 1 }, { sync: "ajax" });
  const release = await held;
  await somebody.upsert("Task", { id: "x", n: 2 });
  await heard(client, somebody, "Task");
  assert.equal(task.get("n"), 1, "it is being written");
  release();
  await saved;
  assert.equal(task.get("n"), 2);
});

test("a URL of one's own stays", async (t) => {
  const { broker, backsync, requests, somebody } = await setUp(t, { options: { sync: "ajax" } });
  const Tasks = backsync.Collection.extend({ url: `${broker.url}/api/Task?policy=server-wins` });
  const Task = backsync.Model.extend({ urlRoot: `${broker.url}/api/Task` });
  await new Task({ id: "x" }).save();
  assert.equal((await somebody.read("Task")).length, 1);
  assert.deepEqual(requests, ["PUT /api/Task/x"]);
  assert.equal(new Tasks().url, `${broker.url}/api/Task?policy=server-wins`);
});

test("who waits for the socket alone waits so long, and is told what it was", async (t) => {
  const { backsync, Backbone, way, client, somebody } = await setUp(t, { isDown: true, options: { timeout: 20 } });
  const Task = backsync.Model.extend({ modelName: "Task" });
  const task = new Task({ id: "x", n: 1 });
  const options = { mark: true };
  const error = await task.save(null, options).then(assert.fail, (error) => error);
  assert.ok(error instanceof SyncTimeout);
  assert.deepEqual([error.message, error.after, error.method, error.instance, error.options.mark], ["timeout", 20, "update", task, true]);
  // As jQuery says it: by several arguments.
  Backbone.$ = { Deferred };
  const said = await new Promise((resolve) => task.fetch().fail((...values) => resolve(values)));
  assert.deepEqual([said[0].message, said[1], said[2], typeof said[3]], ["timeout", "read", task, "object"]);
  backsync.configure({ timeout: false });
  const later = new Promise((resolve) => task.save().done(resolve));
  way.up();
  await stands(client, "open");
  await later;
  assert.deepEqual((await somebody.read("Task")).map(({ n }) => n), [1], "and what was given up was not done later");
});

/** As little of jQuery's as the adapter takes. */
function Deferred() {
  const { promise, resolve, reject } = withResolvers();
  const chain = {
    done: (handler) => (promise.then((values) => handler(...values), () => {}), chain),
    fail: (handler) => (promise.catch((values) => handler(...values)), chain),
  };
  return { resolve: (...values) => resolve(values), reject: (...values) => reject(values), promise: () => chain };
}

function withResolvers() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  made.promise.catch(() => {});
  return made;
}

test("nothing is changed of Backbone unless that is asked, and it can be put back", async (t) => {
  const { Backbone, backsync, client, broker } = await setUp(t);
  const { attach } = await import("backsync/backbone");
  const before = [Backbone.sync, Backbone.Model.prototype.get, Backbone.Collection.prototype.syncBind];
  assert.equal(before[2], undefined);
  assert.notEqual(backsync.Model, Backbone.Model);
  const global = attach(Backbone, client, { global: true, api: `${broker.url}/api` });
  assert.equal(global.Model, Backbone.Model);
  assert.equal(typeof Backbone.Collection.prototype.syncBind, "function");
  global.detach();
  assert.deepEqual([Backbone.sync, Backbone.Model.prototype.get, Backbone.Collection.prototype.syncBind], before);
});
