/** Pages of a model, with a real server. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { clientOf, startBroker } from "./lib/backbone.mjs";

const ids = (page) => page.map(({ id }) => id).join("");

test("a model is read page by page, and what is written meanwhile moves none of them", async (t) => {
  const client = clientOf(t, await startBroker(t));
  await client.upsert("Task", [..."abcdefg"].map((id) => ({ id, n: id === "c" ? 9 : 1 })));
  const found = [];
  for await (const page of client.pages("Task", { limit: 3 })) {
    found.push(ids(page));
    if (found.length === 1) {
      await client.delete("Task", ["a", "e"]);
      await client.upsert("Task", [{ id: "h", n: 1 }, { id: "b", n: 3 }]);
    }
  }
  assert.deepEqual(found, ["abc", "dfg", "h"]);

  const sorted = [];
  for await (const page of client.pages("Task", { where: { n: { $lt: 9 } }, sort: ["-n", "-id"], skip: 1, limit: 2 })) sorted.push(ids(page));
  assert.deepEqual(sorted, ["hg", "fd"], "what is left out is so at the beginning");
  const none = [];
  for await (const page of client.pages("Task", { where: { n: 100 }, limit: 2 })) none.push(page);
  assert.deepEqual(none, [[]]);
});

test("a page says where the next one begins, and the last one nothing", async (t) => {
  const client = clientOf(t, await startBroker(t));
  await client.upsert("Task", [..."abcd"].map((id) => ({ id, text: "x".repeat(600) })));
  const look = (data) => client.request("Task:read", data, { options: { listen: false } });
  const first = await look({ limit: 2 });
  assert.deepEqual([ids(first.data), typeof first.next], ["ab", "string"]);
  assert.equal(ids(await client.read("Task", { limit: 2, after: first.next })), "cd");
  assert.ok(!("next" in (await look({ limit: 2, after: first.next }))));
  assert.equal((await look({ limit: 2, sort: ["text", "-text"] })).next, null);
  await assert.rejects(async () => {
    for await (const page of client.pages("Task", { limit: 2, sort: ["text", "-text"] })) assert.equal(ids(page), "ab");
  }, TypeError);
});
