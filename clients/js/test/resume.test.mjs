/** What holds when connections break and servers die: with a real one, over every way to it. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { connect, http } from "backsync";
import { Broker } from "../../../tests/browser/lib/broker.mjs";
import { Faulty } from "./lib/faulty.mjs";
import { until } from "./lib/until.mjs";
import { bufferingFetch, WAYS } from "./lib/ways.mjs";

const quick = { reconnect: { first: 20, longest: 200 } };

for (const [way, transport] of Object.entries(WAYS)) {
  describe(`over ${way}`, () => {
    async function begin(t, settings = {}) {
      const broker = await Broker.start(t, settings);
      const line = new Faulty(transport());
      const client = connect(broker.url, { transports: [line.transport], ...quick });
      const other = connect(broker.url, { transports: [transport()], ...quick });
      t.after(() => {
        client.close();
        other.close();
      });
      return { broker, line, client, other };
    }

    test("who was away hears each change once, and in order", async (t) => {
      const { line, client, other } = await begin(t, { store: "memory:" });
      const collection = client.collection("A");
      await collection.ready;
      const revisions = [];
      collection.on("upsert", ({ _rev }) => revisions.push(_rev));
      for (let n = 1; n <= 30; n++) {
        await other.upsert("A", { id: `${n}`, n });
        if (n % 10 === 0) {
          line.down();
          await other.upsert("A", { id: `${n}`, away: true });
          await other.delete("A", `${n - 5}`);
          line.up();
          await until(collection, () => collection.get(`${n}`)?.away);
        }
      }
      await until(collection, () => collection.size === 27);
      assert.deepEqual(revisions, [...revisions].sort((a, b) => a - b));
      assert.equal(new Set(revisions).size, revisions.length);
      assert.deepEqual(collection.records, await other.read("A"));
      assert.ok(line.opened >= 4);
    });

    test("a write of which the reply was lost is done once", async (t) => {
      const { line, client, other } = await begin(t, { store: "memory:" });
      const seen = other.collection("A");
      await seen.ready;
      await client.upsert("A", { id: "first" });
      line.deafen();
      const writes = [client.upsert("A", { n: 1 }), client.upsert("A", [{ n: 2 }, { n: 3 }]), client.delete("A", "first")];
      await until(seen, () => seen.size === 3);
      line.cut();
      const [one, [two, three]] = await Promise.all(writes);
      assert.deepEqual([one.n, two.n, three.n, one._rev, two._rev, three._rev], [1, 2, 3, 2, 3, 4]);
      assert.deepEqual(await other.read("A"), [one, two, three]);
      const texts = line.sent.filter(({ event }) => event === "A:upsert").map((message) => JSON.stringify(message));
      assert.deepEqual(texts.slice(1, 3), texts.slice(3, 5), "in the same words");
    });

    test("a server that is killed and comes back is gone on with", async (t) => {
      const { broker, client, other } = await begin(t);
      const collection = client.collection("A", { where: { list: "a" } });
      await collection.ready;
      await other.upsert("A", [{ id: "x", list: "a" }, { id: "y", list: "b" }, { id: "z", list: "a" }]);
      await until(collection, () => collection.size === 2);
      let resets = 0;
      collection.on("reset", () => resets++);
      await broker.killAndRestart();
      await other.upsert("A", [{ id: "x", list: "b" }, { id: "y", list: "a" }]);
      await until(collection, () => collection.state === "live" && collection.has("y") && !collection.has("x"));
      assert.equal(resets, 0);
      assert.deepEqual(new Set(collection.records.map(({ id }) => id)), new Set(["y", "z"]));
    });

    test("a server that forgot everything is read anew", async (t) => {
      const { broker, client, other } = await begin(t, { store: "memory:" });
      const collection = client.collection("A");
      await collection.ready;
      await other.upsert("A", { id: "old" });
      await until(collection, () => collection.has("old"));
      await broker.killAndRestart();
      await other.upsert("A", { id: "new" });
      await until(collection, () => collection.has("new") && !collection.has("old"));
    });

    test("what is larger than the server takes is refused, and everything else goes on", async (t) => {
      const { client } = await begin(t, { store: "memory:", settings: ["limits.message_bytes=2048"] });
      const collection = client.collection("A");
      await collection.ready;
      const small = client.upsert("A", { id: "small" });
      const large = client.upsert("A", { id: "large", text: "x".repeat(3000) });
      const after = client.upsert("A", { id: "after" });
      await assert.rejects(large, { code: "message_too_large" });
      await Promise.all([small, after]);
      await until(collection, () => collection.size === 2);
    });

    test("who is present stays so through a short break", async (t) => {
      const { line, client, other } = await begin(t, { store: "memory:", settings: ["models.User.ephemeral=true"] });
      const users = other.collection("User");
      await users.ready;
      await client.upsert("User", { id: client.name, name: "Ada" });
      await until(users, () => users.size === 1);
      line.cut();
      await client.upsert("User", { id: client.name, name: "Ada L." });
      await until(users, () => users.get(client.name)?.name === "Ada L.");
      assert.equal(users.get(client.name)._rev, 2);
    });
  });
}

test("where WebSocket does not get through, HTTP does, and is found by itself", async (t) => {
  const broker = await Broker.start(t, { store: "memory:" });
  class Blocked {
    constructor() {
      setImmediate(() => this.onclose({ code: 1006 }));
    }
    close() {}
  }
  const client = connect(broker.url, { WebSocket: Blocked });
  t.after(() => client.close());
  assert.deepEqual(await client.upsert("A", { id: "x" }), { id: "x", _rev: 1 });
});

test("where streams are held back that is found out once", async (t) => {
  const broker = await Broker.start(t, { store: "memory:" });
  const streams = [];
  const counting = (url, init) => (url.includes("/xhr_streaming") && streams.push(url), bufferingFetch(url, init));
  const transport = http(counting, { streamPatience: 1 });
  for (let session = 0; session < 2; session++) {
    const client = connect(broker.url, { transports: [transport] });
    t.after(() => client.close());
    await client.upsert("A", { id: "x" });
  }
  assert.equal(streams.length, 1);
});

test("a stream that goes on for longer than one response loses nothing", async (t) => {
  const broker = await Broker.start(t, { store: "memory:", settings: ["sockjs.response_bytes=4096"] });
  const client = connect(broker.url, { transports: [WAYS["http, streaming"]()], ...quick });
  const writer = connect(broker.url, { transports: [WAYS.websocket()] });
  t.after(() => {
    client.close();
    writer.close();
  });
  const collection = client.collection("A");
  await collection.ready;
  const order = [];
  collection.on("upsert", ({ n }) => order.push(n));
  const count = 500;
  for (let n = 0; n < count; n++) writer.upsert("A", { id: `${n % 7}`, n, text: "grüße ".repeat(20) });
  await until(collection, () => order.length === count);
  assert.deepEqual(order, Array.from({ length: count }, (_, n) => n));
  assert.equal(collection.state, "live");
});
