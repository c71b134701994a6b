/** How a client finds its way to the server, and back: pure. */

import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { connect } from "backsync";
import { Scripted, settled } from "./lib/scripted.mjs";

/** With time in the test's hands. */
function withTime(t) {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  t.after(() => mock.timers.reset());
  return async (milliseconds) => {
    await settled();
    mock.timers.tick(milliseconds);
    await settled();
  };
}

/** As in a page, the network's events come from `scope`. */
function hearNetwork(t, scope) {
  for (const name of ["addEventListener", "removeEventListener"]) {
    const before = globalThis[name];
    globalThis[name] = scope[name].bind(scope);
    t.after(() => (before ? (globalThis[name] = before) : delete globalThis[name]));
  }
}

function open(t, servers, options = {}) {
  const client = connect("http://server", { transports: servers.map(({ transport }) => transport), ...options });
  t.after(() => client.close());
  return client;
}

test("a server that says nothing is asked, and given up when it does not answer", async (t) => {
  const pass = withTime(t);
  const server = new Scripted();
  const client = open(t, [server], { patience: 4000 });
  await pass(24_000);
  assert.equal(server.link.questions, 0);
  await pass(1000);
  assert.equal(server.link.questions, 1);
  await pass(4000);
  assert.equal(client.state, "open", "it answered");
  server.greets = false;
  await pass(25_000);
  assert.equal(server.link.questions, 2);
  await pass(3999);
  assert.equal(client.state, "open");
  await pass(1);
  assert.equal(client.state, "waiting");
  assert.ok(server.link.isClosed());
});

test("a server that says something is not asked", async (t) => {
  const pass = withTime(t);
  const server = new Scripted();
  open(t, [server]);
  await pass(20_000);
  server.link.say({ event: "A:upsert", data: { id: "x" }, position: "p" });
  await pass(20_000);
  assert.equal(server.link.questions, 0);
  await pass(5000);
  assert.equal(server.link.questions, 1);
});

test("the waits before connecting again double, are random, and are short again when a connection has held", async (t) => {
  const pass = withTime(t);
  t.mock.method(Math, "random", () => 0.5);
  const server = new Scripted();
  server.opens = false;
  open(t, [server], { reconnect: { first: 1000, longest: 3000 } });
  await pass(0);
  for (const [wait, links] of [[499, 1], [1, 2], [999, 2], [1, 3], [1499, 3], [1, 4], [1499, 4]]) {
    await pass(wait);
    assert.equal(server.links.length, links);
  }
  server.opens = true;
  await pass(1);
  assert.equal(server.links.length, 5);
  await pass(2000);
  server.link.close();
  await pass(1499);
  assert.equal(server.links.length, 5, "it had not held");
  await pass(1);
  await pass(3000);
  server.link.close();
  await pass(499);
  assert.equal(server.links.length, 6);
  await pass(1);
  assert.equal(server.links.length, 7, "it had held");
});

test("a way on which nothing gets through is left for the next, though it opens", async (t) => {
  const pass = withTime(t);
  const [swallows, works] = [new Scripted("swallows"), new Scripted("works")];
  swallows.greets = false;
  const client = open(t, [swallows, works], { connectTimeout: 2000 });
  await pass(1999);
  assert.equal(client.state, "connecting");
  await pass(1);
  assert.deepEqual([client.state, swallows.links.length, works.links.length], ["open", 1, 1]);
});

test("the way that has worked is not left because the server was away for a moment", async (t) => {
  const pass = withTime(t);
  const [first, second] = [new Scripted("first"), new Scripted("second")];
  const client = open(t, [first, second], { reconnect: { first: 1000, longest: 1000 } });
  await pass(0);
  first.opens = false;
  first.link.close();
  await pass(1000);
  await pass(1000);
  assert.deepEqual([first.links.length, second.links.length], [3, 0]);
  first.opens = true;
  await pass(1000);
  assert.deepEqual([first.links.length, second.links.length, client.state], [4, 0, "open"]);
  first.opens = false;
  first.link.close();
  for (let failures = 0; failures < 4; failures++) await pass(1000);
  assert.deepEqual([second.links.length, client.state], [1, "open"], "it is gone for good");
  second.link.close();
  await pass(1000);
  assert.equal(second.links.length, 2, "what works now is taken again");
});

test("the network that comes back ends the wait, and one that goes is a reason to ask", async (t) => {
  const pass = withTime(t);
  const scope = new EventTarget();
  hearNetwork(t, scope);
  t.mock.method(Math, "random", () => 0.999);
  const server = new Scripted();
  const client = open(t, [server]);
  await pass(0);
  scope.dispatchEvent(new Event("offline"));
  assert.equal(server.link.questions, 1);
  server.link.close();
  await pass(0);
  assert.equal(client.state, "waiting");
  scope.dispatchEvent(new Event("online"));
  await pass(0);
  assert.deepEqual([client.state, server.links.length], ["open", 2]);
});

test("in another network the ways are tried anew", async (t) => {
  const pass = withTime(t);
  const scope = new EventTarget();
  hearNetwork(t, scope);
  const [first, second] = [new Scripted("first"), new Scripted("second")];
  first.opens = false;
  const client = open(t, [first, second], { reconnect: { first: 10, longest: 10 } });
  await pass(0);
  first.opens = true;
  second.link.close();
  await pass(10);
  assert.deepEqual([client.state, first.links.length, second.links.length], ["open", 1, 2]);
  scope.dispatchEvent(new Event("online"));
  second.link.close();
  await pass(10);
  assert.deepEqual([client.state, first.links.length, second.links.length], ["open", 2, 2]);
});

test("a token is asked for at every connect; one that is refused is tried again with the next", async (t) => {
  const pass = withTime(t);
  const server = new Scripted();
  const tokens = ["old", "new", "newer", "newest"];
  const errors = [];
  server.refusal = { data: null, error: { code: "forbidden", message: "nobody has this token", retry: false } };
  const client = open(t, [server], { token: async () => tokens.shift(), reconnect: { first: 500, longest: 500 } });
  client.on("error", (error) => errors.push(error.code));
  await pass(0);
  assert.deepEqual([server.link.greeting.token, errors, client.state], ["old", ["forbidden"], "waiting"]);
  server.refusal = undefined;
  await pass(1000);
  assert.deepEqual([server.link.greeting.token, client.state], ["new", "open"]);
  const authenticated = client.authenticate();
  await settled();
  assert.deepEqual([server.link.sent[0].event, server.link.sent[0].data], ["$session:authenticate", { token: "newer" }]);
  server.link.say({ id: server.link.sent[0].id, data: {} });
  await authenticated;
  server.link.close();
  await pass(1000);
  assert.equal(server.link.greeting.token, "newest");
});

test("a token that cannot change and is refused is the end", async (t) => {
  const server = new Scripted();
  server.refusal = { data: null, error: { code: "forbidden", message: "nobody has this token", retry: false } };
  const client = open(t, [server], { token: "fixed" });
  await assert.rejects(client.request("A:x"), { code: "forbidden" });
  assert.equal(client.state, "closed");
});

test("a token that cannot be had is told, and asked for again", async (t) => {
  const pass = withTime(t);
  const server = new Scripted();
  const errors = [];
  let fails = true;
  const token = () => {
    if (fails) throw new Error("the login is away");
    return "t";
  };
  const client = open(t, [server], { token });
  client.on("error", (error) => errors.push([error.code, error.cause.message]));
  await pass(0);
  assert.deepEqual(errors, [["no_token", "the login is away"]]);
  fails = false;
  await pass(1000);
  assert.equal(client.state, "open");
});

test("an address may be of any of the doors", async (t) => {
  for (const url of ["ws://server:1/base", "http://server:1/base/", "ws://server:1/base/ws", "wss://server:1/base"]) {
    const server = new Scripted();
    const client = connect(url, { transports: [server.transport] });
    t.after(() => client.close());
    await settled();
    const secure = url.startsWith("wss") ? "s" : "";
    assert.deepEqual(server.link.address, { http: `http${secure}://server:1/base`, ws: `ws${secure}://server:1/base`, query: "" });
  }
  assert.throws(() => connect("ftp://server"), TypeError);
  assert.throws(() => connect("/relative"), TypeError);
  assert.throws(() => connect("http://server", { WebSocket: null, fetch: null }), TypeError);
});

test("a client that is closed stays closed, whatever comes", async (t) => {
  const pass = withTime(t);
  const server = new Scripted();
  const client = open(t, [server]);
  client.close();
  await pass(60_000);
  assert.deepEqual([client.state, server.links.length], ["closed", 0]);
  const later = open(t, [server]);
  await pass(0);
  server.link.close();
  await pass(0);
  later.close();
  await pass(60_000);
  assert.deepEqual([later.state, server.links.length], ["closed", 1]);
});
