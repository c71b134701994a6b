/** What tabs with one storage see of each other's writes, with a real server. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { memory, openOffline } from "backsync/offline";
import { Broker } from "../../../tests/browser/lib/broker.mjs";
import { Faulty } from "./lib/faulty.mjs";
import { Locks } from "./lib/locks.mjs";
import { sent, until } from "./lib/until.mjs";
import { WAYS } from "./lib/ways.mjs";

async function begin(t, count) {
  const broker = await Broker.start(t, { store: "memory:" });
  const sharing = { storage: { ...memory(), name: `tabs ${t.name}` }, locks: new Locks(), reconnect: { first: 5, longest: 20 } };
  const tabs = [];
  for (let at = 0; at < count; at++) {
    const line = new Faulty(WAYS.websocket());
    const offline = await openOffline(broker.url, { ...sharing, transports: [line.transport] });
    t.after(() => offline.close());
    const collection = offline.collection("A");
    await collection.ready;
    tabs.push({ line, offline, collection });
  }
  return tabs;
}

test("what another tab was answered is seen before our own connection has heard of it", async (t) => {
  const [, follower] = await begin(t, 2);
  await follower.collection.upsert([{ id: "x", n: 0 }, { id: "y", n: 0 }]);
  await until(follower.collection, () => follower.collection.size === 2);
  follower.line.deafen();
  await follower.collection.upsert({ id: "x", n: 1 });
  await follower.collection.delete("y");
  assert.deepEqual([follower.offline.pending, follower.collection.records.map(({ id, n }) => [id, n])], [0, [["x", 1]]]);
  follower.line.cut();
  await until(follower.collection, () => follower.collection.state === "live");
  assert.deepEqual(follower.collection.records.map(({ id, n }) => [id, n]), [["x", 1]]);
});

test("what a tab was answered that went without a word is found out by all others", async (t) => {
  const [leader, ...followers] = await begin(t, 3);
  await followers[0].collection.upsert({ id: "y", n: 0 });
  for (const { line } of [leader, ...followers]) line.down();
  const written = followers[0].collection.upsert({ id: "x" });
  const more = followers[0].collection.upsert([{ id: "y", n: 1 }, { id: "z" }]);
  const seen = followers.map(({ collection }) => until(collection, () => collection.has("x")));
  await Promise.all([...seen, until(leader.collection, () => leader.collection.has("x"))]);
  const silent = t.mock.method(BroadcastChannel.prototype, "postMessage", () => {});
  leader.line.up();
  await sent(leader.offline);
  await leader.offline.kept();
  leader.offline.close();
  silent.mock.restore();
  await Promise.all(followers.map(({ offline }) => sent(offline)));
  assert.deepEqual([await written, await more], [null, [{ id: "y", n: 0, _rev: 1 }, null]], "what the collection has by then");
  for (const { line } of followers) line.up();
  await Promise.all(followers.map(({ collection }) => until(collection, () => collection.state === "live" && collection.get("z")?._rev === 4)));
});
