/** Two clients of persistence.js sync through the server: everything comes over, conflicts are found, and none where there is none. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Broker } from "../browser/lib/broker.mjs";
import { startClient } from "./lib/client.mjs";

async function start(t, options) {
  const broker = await Broker.start(t, options);
  const clients = await Promise.all([startClient(broker.url), startClient(broker.url)]);
  return { broker, clients };
}

async function write(broker, ...records) {
  const body = JSON.stringify(records);
  const answer = await fetch(`${broker.url}/sync/Task`, { method: "POST", headers: { "content-type": "application/json" }, body });
  assert.equal(answer.status, 200);
  return answer.json();
}

const look = async (broker, since = 0) => (await fetch(`${broker.url}/sync/Task?since=${since}`)).json();

test("what one has the other has, and edits come over in both directions", async (t) => {
  const { clients: [ada, bob] } = await start(t);
  await ada.add("sweep", "report");
  await ada.sync();
  await bob.add("cook");
  await bob.sync();
  await ada.sync();
  for (const client of [ada, bob]) assert.deepEqual(await client.tasks(), ["cook", "report", "sweep"]);
  await bob.edit("sweep", { done: true });
  await bob.sync();
  await ada.edit("cook", { name: "bake" });
  await ada.sync();
  await bob.sync();
  for (const client of [ada, bob]) assert.deepEqual(await client.tasks(), ["bake", "report", "sweep ✓"]);
});

test("where both edited the same, the one that prefers its own wins", async (t) => {
  const { clients: [ada, bob] } = await start(t);
  await ada.add("sweep", "report");
  await ada.sync();
  await bob.sync();
  await bob.edit("sweep", { name: "mop" });
  await bob.sync();
  await ada.edit("sweep", { name: "scrub" });
  assert.deepEqual(await ada.sync("Local"), ["scrub"]);
  await bob.sync();
  for (const client of [ada, bob]) assert.deepEqual(await client.tasks(), ["report", "scrub"]);
  // And in the other direction.
  await ada.edit("report", { name: "write" });
  await ada.sync();
  await bob.edit("report", { name: "draw" });
  assert.deepEqual(await bob.sync("Local"), ["draw"]);
  await ada.sync();
  for (const client of [ada, bob]) assert.deepEqual(await client.tasks(), ["draw", "scrub"]);
});

test("where both edited the same, the one that prefers the other's takes it", async (t) => {
  const { clients: [ada, bob] } = await start(t);
  await ada.add("sweep", "report");
  await ada.sync();
  await bob.sync();
  for (const [first, second, name] of [[ada, bob, "sweep"], [bob, ada, "report"]]) {
    await first.edit(name, { name: `${name} first` });
    await first.sync();
    await second.edit(name, { name: `${name} second` });
    assert.deepEqual(await second.sync("Remote"), [`${name} second`]);
    await first.sync();
  }
  for (const client of [ada, bob]) assert.deepEqual(await client.tasks(), ["report first", "sweep first"]);
});

test("what is removed goes everywhere, and may come again", async (t) => {
  const { broker, clients: [ada, bob] } = await start(t);
  await ada.add("sweep", "report", "cook");
  await ada.sync();
  await bob.sync();
  const id = await bob.id("sweep");
  await bob.remove("sweep");
  await bob.sync();
  await ada.remove("cook");
  await ada.sync();
  // Told of what it wrote itself before, it has that again until it is told that it is gone.
  await ada.sync();
  await bob.sync();
  for (const client of [ada, bob]) assert.deepEqual(await client.tasks(), ["report"]);
  const { updates } = await look(broker);
  assert.deepEqual(updates.map(({ name }) => name), ["report"], "who comes first is told of nothing that went");
  // Each client removes what it was told is gone once more; then it may come again.
  await ada.sync();
  await bob.sync();
  await write(broker, { id, name: "sweep", done: true });
  for (const client of [ada, bob]) {
    await client.sync();
    assert.deepEqual(await client.tasks(), ["report", "sweep ✓"]);
  }
});

test("who edits its own again has no conflict, whatever others wrote meanwhile", async (t) => {
  const { broker, clients: [ada, bob] } = await start(t);
  await ada.add("sweep", "report");
  // Others write, and look, between the two requests of every sync.
  let count = 0;
  ada.beforePost = async () => {
    await write(broker, { id: `x${count++}`, name: `other ${count}`, done: false });
    if (count % 2) await look(broker);
  };
  for (const name of ["a", "b", "c", "d"]) {
    await ada.edit(name === "a" ? "sweep" : `sweep ${String.fromCharCode(name.charCodeAt(0) - 1)}`, { name: `sweep ${name}` });
    await ada.sync();
  }
  ada.beforePost = null;
  await ada.sync();
  await bob.sync();
  const expected = ["other 1", "other 2", "other 3", "other 4", "report", "sweep d"];
  for (const client of [ada, bob]) assert.deepEqual(await client.tasks(), expected);
});

test("what somebody changed right behind a push is a conflict and no loss", async (t) => {
  const { broker, clients: [ada] } = await start(t);
  await ada.add("sweep");
  await ada.sync();
  const [id, posted] = [await ada.id("sweep"), JSON.parse(ada.requests.at(-1).answer)];
  assert.deepEqual(Object.keys(posted).sort(), ["now", "status"]);
  assert.equal((await look(broker)).updates[0]._lastChange, posted.now);
  await write(broker, { id, name: "mop" });
  await ada.edit("sweep", { done: true });
  assert.deepEqual(await ada.sync("Remote"), ["sweep"]);
  assert.deepEqual(await ada.tasks(), ["mop"]);
});

test("times hold over a restart of the server", async (t) => {
  const { broker, clients: [ada, bob] } = await start(t);
  await ada.add("sweep", "report");
  await ada.sync();
  await bob.sync();
  await bob.remove("report");
  await bob.sync();
  await broker.killAndRestart();
  await ada.edit("sweep", { done: true });
  await ada.sync();
  await bob.sync();
  for (const client of [ada, bob]) assert.deepEqual(await client.tasks(), ["sweep ✓"]);
});

test("who is told that the server does not know any more begins anew", async (t) => {
  const { broker, clients: [ada, bob] } = await start(t, { store: "memory:" });
  await ada.add("sweep");
  await ada.sync();
  await broker.killAndRestart();
  await assert.rejects(ada.sync(), { status: 410 });
  const problem = JSON.parse(ada.requests.at(-1).answer);
  assert.equal(problem.status, 410);
  assert.match(problem.detail, /since=0/);
  await ada.beginAnew();
  await ada.sync();
  await bob.sync();
  assert.deepEqual(await bob.tasks(), ["sweep"]);
});
