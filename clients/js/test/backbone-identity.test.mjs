/** Which model or view is which, and what belongs to what; what is set for all. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { family, Registry, trackedView } from "backsync/backbone";
import { freshBackbone, happens, heard, own, setUp } from "./lib/backbone.mjs";

/** A Backbone with as little of a page as views take. */
function pageless() {
  const Backbone = freshBackbone();
  Backbone.View.prototype._ensureElement = function () {
    this.$el = { remove() {} };
  };
  return Backbone;
}

test("a model is known by its type and its id, before it is saved too", async (t) => {
  const { backsync } = await setUp(t);
  const { registry } = backsync;
  const Task = registry.register("Task", backsync.Model.extend({ modelName: "Task" }));
  const task = new Task();
  const name = registry.idOf(task);
  await task.save();
  assert.deepEqual([registry.idOf(task), name], [name, `Task:${task.id}`]);
  const [saved, again] = [new Task({ id: "x" }), new (Task.extend({}))({ id: "x" })];
  assert.deepEqual([registry.idOf(saved), registry.idOf(again)], ["Task:x", "Task:x"]);
});

test("a view is known by its parent, its type and its model or its place, in the next visit too", () => {
  const visit = () => {
    const Backbone = pageless();
    const registry = new Registry();
    const Tracked = trackedView(Backbone.View);
    const [Page, Row] = ["Page", "Row"].map((type) => registry.register(type, Tracked.extend({})));
    const page = registry.create("Page");
    const rows = [new Row({ parent: page }), new Row({ parent: page }), new Row({ parent: page, model: new Backbone.Model({ id: "m" }) })];
    const names = rows.map((row) => registry.idOf(row));
    rows[0].remove();
    assert.deepEqual(rows.map((row) => registry.idOf(row)), names, "also when another goes");
    return names;
  };
  assert.deepEqual(visit(), ["Page:0/Row:0", "Page:0/Row:1", "Page:0/Row:m"]);
  assert.deepEqual(visit(), visit());
});

test("each record of a collection may be of the type that it says", () => {
  const Backbone = freshBackbone();
  const registry = new Registry();
  const [Text, Image] = ["text", "image"].map((type) => registry.register(type, Backbone.Model.extend({})));
  const posts = new (Backbone.Collection.extend({ model: registry.byAttribute("kind") }))([{ id: 1, kind: "image" }, { id: 2, kind: "text" }]);
  assert.ok(posts.get(1) instanceof Image && posts.get(2) instanceof Text && !(posts.get(2) instanceof Image));
  assert.throws(() => posts.add({ kind: "sound" }), TypeError);
});

test("parents and children know each other, and nobody who is gone", () => {
  const Backbone = freshBackbone();
  const Node = Backbone.Model.extend(family);
  const [root, other, child, leaf] = ["root", "other", "child", "leaf"].map((id) => new Node({ id }));
  assert.equal(root.addChild(child), child);
  root.addChild(child);
  child.addChild(leaf);
  assert.deepEqual([root.children, child.parent, leaf.parent], [[child], root, child]);
  for (const above of [leaf, child, root]) assert.throws(() => leaf.addChild(above), TypeError);
  other.addChild(child);
  assert.deepEqual([root.children, other.children, child.parent], [[], [child], other], "one parent at a time");
  root.removeChild(child);
  assert.equal(child.parent, other);
  child.trigger("destroy", child);
  assert.deepEqual([other.children, child.parent], [[], undefined]);
  child.listenTo(leaf, "destroy", () => assert.ok(true));
  child.removeChild(leaf);
  const before = leaf.parent;
  leaf.trigger("destroy", leaf);
  assert.equal(before, undefined);
});

test("a view that is removed takes its children with it, and leaves its parent", () => {
  const Backbone = pageless();
  const removed = [];
  const View = trackedView(Backbone.View).extend({
    initialize: function ({ name, parent } = {}) {
      this.name = name;
      assert.equal(this.parent, parent, "who makes it is known when it begins");
    },
    remove: function () {
      removed.push(this.name);
      return View.__super__.remove.call(this);
    },
  });
  const page = new View({ name: "page" });
  const list = new View({ name: "list", parent: page });
  new View({ name: "row 1", parent: list });
  new View({ name: "row 2", parent: list });
  const side = page.addChild(new View({ name: "side" }));
  list.remove();
  assert.deepEqual([removed, page.children, list.children, list.parent], [["list", "row 1", "row 2"], [side], [], undefined]);
});

test("what is set with sync is known to the server, and what comes from there is not said again", async (t) => {
  const { backsync, somebody, client, way } = await setUp(t);
  const Task = backsync.Model.extend({ modelName: "Task" });
  const tasks = new (backsync.Collection.extend({ model: Task, config: { live: true } }))();
  await tasks.fetch();
  const task = new Task({ id: "x", n: 1 }, { sync: true });
  tasks.add(task);
  await happens(task, "sync");
  task.set("n", 2, { sync: true });
  task.set({ n: 3, more: "yes" }, { sync: true });
  await task.update("n", 4);
  await task.update({ more: "no" });
  task.unset("more", { sync: true });
  await happens(task, "sync");
  await heard(client, somebody, "Task");
  assert.deepEqual((await somebody.read("Task")).map(({ _rev, ...rest }) => rest), [{ id: "x", n: 4 }]);
  const writes = () => way.sent.filter(({ event }) => event === "Task:upsert").length;
  const before = writes();
  task.on("change", (model, options) => options.remote || model.save());
  await somebody.upsert("Task", { id: "x", n: 5 });
  await heard(client, somebody, "Task");
  task.set("n", 6, { sync: true, remote: true });
  assert.deepEqual([own(task), writes()], [{ id: "x", n: 6 }, before]);
  const saved = happens(task, "sync");
  task.set("n", 7);
  await saved;
  await heard(client, somebody, "Task");
  assert.equal(writes(), before + 1, "and only what is no news of the server's");
  const gone = happens(task, "sync");
  tasks.remove(task, { sync: true });
  await gone;
  assert.deepEqual([await somebody.read("Task"), tasks.length], [[], 0]);
});

test("the types fit those of Backbone", async () => {
  const require = createRequire(import.meta.url);
  const typescript = require.resolve("typescript/package.json").replace("package.json", "bin/tsc");
  const options = ["--ignoreConfig", "--noEmit", "--strict", "--esModuleInterop", "--target", "es2022", "--lib", "es2023,dom,dom.iterable", "--types", "", "--module", "nodenext"];
  const file = fileURLToPath(new URL("lib/typed-backbone.ts", import.meta.url));
  await promisify(execFile)(process.execPath, [typescript, ...options, file]).catch(({ stdout }) => assert.fail(stdout));
});
