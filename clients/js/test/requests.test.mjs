/** What becomes of requests: pure, with a server of which the test says every word. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { BacksyncError, connect } from "backsync";
import { Scripted, settled } from "./lib/scripted.mjs";

async function begin(t, options = {}) {
  const server = new Scripted();
  const client = connect("http://server", { transports: [server.transport], reconnect: { first: 0, longest: 0 }, ...options });
  t.after(() => client.close());
  await settled();
  return { server, client };
}

/** Until there is another link. */
async function reconnected(server, links) {
  while (server.links.length < links) await new Promise((resolve) => setTimeout(resolve, 1));
  await settled();
}

test("what is asked before there is a connection is sent in its order", async (t) => {
  const server = new Scripted();
  const client = connect("http://server", { transports: [server.transport] });
  t.after(() => client.close());
  const replies = [client.request("A:one"), client.request("A:two", { x: 1 }, { options: { listen: false } })];
  await settled();
  assert.deepEqual(server.link.sent.map(({ text, ...message }) => message), [
    { id: 1, event: "A:one" },
    { id: 2, event: "A:two", data: { x: 1 }, options: { listen: false } },
  ]);
  server.link.say({ id: 2, event: "A:two", data: "second", position: "p" });
  server.link.say({ id: 1, event: "A:one", data: "first" });
  assert.deepEqual((await Promise.all(replies)).map(({ data }) => data), ["first", "second"]);
});

test("what was not answered is said again in the same words, behind the listenings", async (t) => {
  const { server, client } = await begin(t);
  const collection = client.collection("A", { where: { b: 1 } });
  await settled();
  server.link.say({ id: server.link.sent[0].id, data: [{ id: "x", _rev: 1 }], filter: "f", position: "p1" });
  const answered = client.upsert("A", { id: "1" });
  const open = client.upsert("A", { id: "2" }, { policy: "merge" });
  const [, first, second] = server.link.sent;
  server.link.say({ id: first.id, data: { id: "1", _rev: 2 } });
  await answered;
  server.link.close();
  const late = client.upsert("A", { id: "3" });
  await reconnected(server, 2);
  const [query, again, third] = server.link.sent;
  assert.deepEqual([query.event, query.data], ["A:read", { where: { b: 1 }, since: "p1" }]);
  assert.equal(again.text, second.text);
  assert.deepEqual([third.data, third.id > second.id], [{ id: "3" }, true]);
  server.link.say({ id: again.id, data: { id: "2" } });
  server.link.say({ id: third.id, data: { id: "3" } });
  assert.deepEqual([await open, await late], [{ id: "2" }, { id: "3" }]);
  collection.close();
});

test("an error has what the server said of it", async (t) => {
  const { server, client } = await begin(t);
  const reply = client.upsert("A", [{ id: "x", _rev: 1 }]);
  const error = { code: "conflict", message: "both", retry: false, record: { id: "x", _rev: 7 }, properties: ["n"], element: 0 };
  server.link.say({ id: server.link.sent[0].id, data: null, error });
  await assert.rejects(reply, (found) => found instanceof BacksyncError && Object.entries(error).every(([name, value]) => assert.deepEqual(found[name], value) ?? true));
});

test("what may succeed later is said again after a moment", async (t) => {
  const { server, client } = await begin(t);
  const reply = client.upsert("A", { id: "x" });
  const [first] = server.link.sent;
  server.link.say({ id: first.id, data: null, error: { code: "store_unavailable", message: "away", retry: true } });
  while (server.link.sent.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(server.link.sent[1].text, first.text);
  server.link.say({ id: first.id, data: { id: "x" } });
  assert.deepEqual(await reply, { id: "x" });
});

test("who waits long enough, or gives up, is not kept waiting, and what was not said is not said", async (t) => {
  const { server, client } = await begin(t);
  await assert.rejects(client.request("A:slow", {}, { timeout: 1 }), { code: "timeout" });
  const given = new AbortController();
  const sent = client.request("A:sent", {}, { signal: given.signal });
  server.opens = false;
  server.link.close();
  const unsent = client.request("A:unsent", {}, { signal: given.signal });
  given.abort();
  await assert.rejects(sent, { name: "AbortError" });
  await assert.rejects(unsent, { name: "AbortError" });
  await assert.rejects(client.request("A:never", {}, { signal: given.signal }), { name: "AbortError" });
  server.opens = true;
  await reconnected(server, server.links.length + 1);
  assert.deepEqual(server.link.sent, []);
  // A reply that nobody waits for any more is nothing.
  server.link.say({ id: 2, data: {} });
});

test("of what was said the largest is what the server found too large", async (t) => {
  const { server, client } = await begin(t);
  const later = client.request("A:later", "x".repeat(1000));
  server.link.say({ id: server.link.sent[0].id, data: null, error: { code: "store_full", message: "…", retry: true } });
  const small = client.request("A:small");
  const large = client.request("A:large", "x".repeat(100));
  server.link.close(1009);
  await assert.rejects(large, { code: "message_too_large" });
  await reconnected(server, 2);
  assert.deepEqual(server.link.sent.map(({ event }) => event), ["A:later", "A:small"]);
  for (const { id } of server.link.sent) server.link.say({ id, data: 1 });
  await Promise.all([later, small]);
});

test("a name that was chosen has ids that nobody had before", async (t) => {
  const ids = [];
  for (let run = 0; run < 2; run++) {
    const { server, client } = await begin(t, { name: "chosen" });
    client.request("A:x").catch(() => {});
    assert.equal(server.link.greeting.client, "chosen");
    ids.push(server.link.sent[0].id);
  }
  assert.notEqual(ids[0], ids[1]);
  assert.throws(() => connect("http://server", { name: "two words", transports: [] }), TypeError);
});

test("at the end everybody hears of it", async (t) => {
  const { server, client } = await begin(t);
  const collection = client.collection("A");
  const states = [];
  client.on("state", (state, error) => states.push([state, error?.code]));
  const open = client.request("A:x");
  server.link.say({ event: "$session:close", data: { code: "banned", reason: "enough", reconnect: false } });
  await assert.rejects(open, { code: "closed", message: /enough/ });
  await assert.rejects(client.request("A:y"), { code: "closed" });
  await assert.rejects(collection.ready, { code: "closed" });
  assert.deepEqual([states, collection.state], [[["closed", "closed"]], "closed"]);
});

test("a close that is not for good is a lost connection", async (t) => {
  const { server, client } = await begin(t);
  server.link.say({ event: "$session:close", data: { code: "shutdown", reason: "bye", reconnect: true } });
  server.link.close(1001);
  await reconnected(server, 2);
  assert.equal(client.state, "open");
});

test("what could not be answered is told as an error", async (t) => {
  const { server, client } = await begin(t);
  const errors = [];
  client.on("error", (error) => errors.push([error.code, error.event]));
  server.link.say({ event: "$session:error", data: { code: "invalid_data", message: "…", retry: false, event: "A:upsert" } });
  assert.deepEqual(errors, [["invalid_data", "A:upsert"]]);
});

test("what is no message of the protocol changes nothing", async (t) => {
  const { server, client } = await begin(t);
  for (const message of [null, 7, [], {}, { event: 7 }, { event: "A" }, { event: "Later:thing", data: {} }, { id: 99, data: {} }]) server.link.say(message);
  assert.equal(client.state, "open");
});

test("an application's own JSON carries numbers beyond 2^53", async (t) => {
  const json = {
    parse: (text) => JSON.parse(text, (_, value, { source } = {}) => (typeof value === "number" && !Number.isSafeInteger(value) ? BigInt(source ?? value) : value)),
    stringify: (value) => JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? `<${inner}>` : inner)).replace(/"<(\d+)>"/g, "$1"),
  };
  const { server, client } = await begin(t, { json });
  client.upsert("A", { id: "x", n: 12345678901234567890n }).catch(() => {});
  assert.match(server.link.sent[0].text, /"n":12345678901234567890\}/);
});
