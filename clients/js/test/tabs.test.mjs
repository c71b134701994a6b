/** Who leads, and what tabs that share a storage make of each other's writes: pure. */

import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { memory } from "backsync/offline";
import { lead } from "../dist/offline/lead.js";
import { Queue } from "../dist/offline/queue.js";
import { settled } from "./lib/scripted.mjs";

const shared = () => ({ ...memory(), name: "shared" });

/** What becomes of one who wants to lead. */
function candidate(storage, tab) {
  const heard = [];
  const told = { leads: () => heard.push("leads"), lost: () => heard.push("lost"), failed: () => heard.push("failed") };
  return { heard, leave: lead(storage, "queue", tab, told, undefined) };
}

function withTime(t) {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  t.after(() => mock.timers.reset());
  return async (milliseconds) => {
    for (let passed = 0; passed < milliseconds; passed += 1000) {
      await settled();
      mock.timers.tick(1000);
    }
    await settled();
  };
}

test("without locks one leads for as long as it is there, and then another", async (t) => {
  const pass = withTime(t);
  const storage = shared();
  const one = candidate(storage, "one");
  await pass(1000);
  const two = candidate(storage, "two");
  await pass(60_000);
  assert.deepEqual([one.heard, two.heard], [["leads"], []]);
  one.leave();
  await pass(4000);
  assert.deepEqual(two.heard, ["leads"]);
  two.leave();
});

test("without locks one leads of those that come at the same moment", async (t) => {
  const pass = withTime(t);
  const storage = shared();
  const all = ["one", "two", "three"].map((tab) => candidate(storage, tab));
  await pass(20_000);
  assert.deepEqual(all.flatMap(({ heard }) => heard), ["leads"]);
  for (const { leave } of all) leave();
});

test("without locks one that fell asleep loses to another, and hears of it when it wakes", async (t) => {
  const pass = withTime(t);
  const storage = shared();
  let isAsleep = false;
  const wakes = [];
  const sleepy = { ...storage, list: (prefix) => (isAsleep ? new Promise((resolve) => wakes.push(() => resolve(storage.list(prefix)))) : storage.list(prefix)) };
  const one = candidate(sleepy, "one");
  await pass(1000);
  isAsleep = true;
  const two = candidate(storage, "two");
  await pass(8000);
  assert.deepEqual(two.heard, []);
  await pass(12_000);
  assert.deepEqual(two.heard, ["leads"]);
  isAsleep = false;
  for (const wake of wakes) wake();
  await pass(1000);
  assert.deepEqual(one.heard, ["leads", "lost"]);
  two.leave();
  await pass(4000);
  assert.deepEqual(one.heard, ["leads", "lost", "leads"]);
  one.leave();
});

test("a lease of a clock that was put back binds nobody for long", async (t) => {
  const pass = withTime(t);
  const storage = shared();
  await storage.write(new Map([["lease:queue", `${Date.now() + 3_600_000} gone`]]));
  const one = candidate(storage, "one");
  await pass(1000);
  assert.deepEqual(one.heard, ["leads"]);
  one.leave();
});

test("a storage that fails for a while is told, and tried again", async (t) => {
  const pass = withTime(t);
  const storage = shared();
  let fails = true;
  const failing = { ...storage, list: (prefix) => (fails ? Promise.reject(new Error("away")) : storage.list(prefix)) };
  const one = candidate(failing, "one");
  await pass(1000);
  fails = false;
  await pass(4000);
  assert.deepEqual(one.heard, ["failed", "leads"]);
  one.leave();
});

const write = (name, id = "x") => ({ write: name, id: `${name} id`, model: "A", method: "upsert", edits: [{ id, set: { by: name } }], isArray: false, at: 0 });
const queueOf = (storage) => new Queue(storage, JSON, (trouble) => assert.fail(JSON.stringify(trouble)));
const writes = (queue) => queue.entries.map(({ write }) => write);

test("tabs that write at the same time each have a place of their own, and their order", async () => {
  const storage = shared();
  const [one, two] = [queueOf(storage), queueOf(storage)];
  for (let n = 0; n < 5; n++) {
    one.add(write(`one ${n}`));
    two.add(write(`two ${n}`));
  }
  await Promise.all([one.kept(), two.kept()]);
  await Promise.all([one.load(), two.load()]);
  assert.equal((await storage.list("queue:")).length, 10);
  assert.deepEqual(writes(one), writes(two));
  for (const tab of ["one", "two"]) assert.deepEqual(writes(one).filter((name) => name.startsWith(tab)), [0, 1, 2, 3, 4].map((n) => `${tab} ${n}`));
  assert.deepEqual(writes(queueOf(storage)), []);
  const later = queueOf(storage);
  await later.load();
  assert.deepEqual(writes(later), writes(one));
});

test("what was removed does not come back with what the storage had a moment ago", async () => {
  const storage = shared();
  const [leader, follower] = [queueOf(storage), queueOf(storage)];
  follower.add(write("a"));
  await follower.kept();
  await leader.load();
  const loading = [leader.load(), follower.load()];
  leader.remove(leader.entries[0]);
  follower.removedElsewhere("a");
  await Promise.all(loading);
  await leader.kept();
  assert.deepEqual([writes(leader), writes(follower), await storage.list("queue:")], [[], [], []]);
  assert.deepEqual(await follower.load(), []);
});

test("a write that could not be kept takes no other's place when it goes", async () => {
  const storage = shared();
  const failing = { ...storage, write: (changes, ...rest) => ([...changes.values()].some((text) => text?.includes("unkept")) ? Promise.reject(new Error("no room")) : storage.write(changes, ...rest)) };
  const troubles = [];
  const one = new Queue(failing, JSON, (trouble) => troubles.push(trouble.type));
  const two = queueOf(storage);
  one.add(write("unkept"));
  await one.kept();
  two.add(write("kept"));
  await two.kept();
  assert.equal(one.entries[0].seq, two.entries[0].seq);
  one.remove(one.entries[0]);
  await one.kept();
  assert.deepEqual([troubles, (await storage.list("queue:")).length], [["storage"], 1]);
});

test("those that another tab has answered, without a word, are found to be gone", async () => {
  const storage = shared();
  const [leader, follower] = [queueOf(storage), queueOf(storage)];
  follower.add(write("a"));
  follower.add(write("b"));
  await follower.kept();
  await leader.load();
  leader.remove(leader.entries[0]);
  await leader.kept();
  assert.deepEqual((await follower.load()).map(({ write }) => write), ["a"]);
});
