/** What is kept of a collection: pure, with a listening of which the test says what it has. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { memory } from "backsync/offline";
import { Cache } from "../dist/offline/cache.js";
import { settled } from "./lib/scripted.mjs";

/** A tab that has the collection `A:{}`, and writes it though another may do so too. */
async function tab(storage, troubles = []) {
  const host = { storage, json: JSON, limit: 100, trouble: (trouble) => troubles.push(trouble.type), lead: (leads) => (leads(), () => {}) };
  const cache = new Cache("A:{}", "A", host);
  const copy = await cache.load();
  const base = { records: new Map(copy?.records.map((record) => [record.id, record])), position: copy?.position, state: "live" };
  cache.follow(base);
  const hear = async (position, ...records) => {
    for (const record of records) base.records.set(record.id, record);
    base.position = position;
    cache.heard(base, records.map((record) => ({ type: "upsert", id: record.id, record })));
    await settled();
  };
  const become = async (state) => {
    base.state = state;
    cache.heard(base, [{ type: "state", state }]);
    await settled();
  };
  return { cache, copy, hear, become };
}

test("of two that write at the same time neither leaves something older than its position", async () => {
  const storage = memory();
  const one = await tab(storage);
  await one.hear("p1", { id: "x", v: 1 });
  const two = await tab(storage);
  assert.deepEqual(two.copy, { position: "p1", records: [{ id: "x", v: 1 }] });
  await two.hear("p3", { id: "x", v: 3 });
  // The first is behind,
  await one.hear("p2", { id: "x", v: 2 });
  assert.deepEqual((await tab(storage)).copy, { position: "p2", records: [{ id: "x", v: 2 }] });
  // and the second goes on from what it has, not from what is there.
  await two.hear("p4", { id: "y", v: 4 });
  assert.deepEqual((await tab(storage)).copy, { position: "p4", records: [{ id: "x", v: 3 }, { id: "y", v: 4 }] });
});

test("what a server forbids is not kept, until it allows it", async () => {
  const storage = memory();
  const one = await tab(storage);
  await one.hear("p1", { id: "x" });
  await one.become("failed");
  assert.deepEqual([await storage.list("cache:"), await storage.list("used:")], [[], []]);
  await one.become("live");
  await one.hear("p2");
  assert.deepEqual((await tab(storage)).copy, { position: "p2", records: [{ id: "x" }] });
});

test("a storage that fails for another reason than room costs no other collection", async () => {
  const storage = memory();
  await storage.write(new Map([["used:other", "1"], ["cache:other:meta", "{}"]]));
  const troubles = [];
  const one = await tab({ ...storage, write: (changes, condition) => (condition ? Promise.reject(Object.assign(new Error("away"), { code: "unavailable" })) : storage.write(changes)) }, troubles);
  await one.hear("p1", { id: "x" });
  assert.deepEqual([troubles, (await storage.list("cache:other:")).length], [["storage"], 1]);
});

test("a position that moves alone is kept, and the order too", async () => {
  const storage = memory();
  const one = await tab(storage);
  await one.hear("p1", { id: "b" }, { id: "a" }, { id: "c" });
  await one.hear("p2");
  await one.hear("p3", { id: "b", n: 1 });
  assert.deepEqual((await tab(storage)).copy, { position: "p3", records: [{ id: "b", n: 1 }, { id: "a" }, { id: "c" }] });
});
