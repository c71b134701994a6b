import assert from "node:assert/strict";
import test from "node:test";
import { backoff } from "../../src/server/console/backoff.js";
import { isModelName } from "../../src/server/console/models.js";
import { pipeCommand, socketUrl } from "../../src/server/console/pipe.js";
import { Subscription } from "../../src/server/console/subscription.js";

function opened(model = "Log") {
  const sent = [];
  const changes = [];
  const subscription = new Subscription(model, (message) => sent.push(message), { change: (change) => changes.push(change), status: () => {} });
  return { subscription, sent, changes };
}

test("it reads, then hears pushes of its model only", () => {
  const { subscription, sent, changes } = opened();
  subscription.read();
  assert.deepEqual(sent, [{ id: 1, event: "Log:read" }]);
  subscription.receive({ event: "Log:upsert", data: { id: "early" } });
  subscription.receive({ id: 1, event: "Log:read", data: [{ id: "a" }], position: "p1" });
  subscription.receive({ event: "Log:upsert", data: { id: "b" }, position: "p2" });
  subscription.receive({ event: "Other:upsert", data: { id: "c" } });
  subscription.receive({ event: "Log:delete", data: { id: "a" }, position: "p3" });
  subscription.receive({ event: "Log:reset", data: [{ id: "d" }], position: "p4" });
  assert.deepEqual(changes, [
    { kind: "reset", records: [{ id: "a" }] }, { kind: "upsert", record: { id: "b" } },
    { kind: "delete", id: "a" }, { kind: "reset", records: [{ id: "d" }] },
  ]);
});

test("after a reconnect it asks for what it missed", () => {
  const { subscription, sent, changes } = opened();
  subscription.read();
  subscription.receive({ id: 1, data: [], position: "p1" });
  subscription.receive({ event: "Log:upsert", data: { id: "a" }, position: "p2" });
  subscription.read();
  assert.deepEqual(sent[1], { id: 2, event: "Log:read", data: { since: "p2" } });
  subscription.receive({ id: 2, data: [{ id: "b" }], deleted: ["a"], position: "p4" });
  assert.deepEqual(changes.at(-1), { kind: "merge", records: [{ id: "b" }], deleted: ["a"] });
  subscription.read();
  subscription.receive({ id: 3, data: [{ id: "c" }], reset: true, position: "q1" });
  assert.deepEqual(changes.at(-1), { kind: "reset", records: [{ id: "c" }] });
});

test("a server that cannot resume is read anew", () => {
  const { subscription, sent } = opened();
  subscription.read();
  subscription.receive({ id: 1, data: [], position: "p1" });
  subscription.read();
  subscription.receive({ id: 2, data: null, error: { code: "bad_request", message: "unknown member", retry: false } });
  assert.deepEqual(sent.at(-1), { id: 3, event: "Log:read" });
  assert.equal(subscription.status, "reading");
});

test("switching leaves the old model, and its late answers and pushes are not taken for the new one's", () => {
  const { subscription, sent, changes } = opened("ServerLog");
  subscription.read();
  subscription.watch("Log");
  assert.deepEqual(sent.slice(1), [{ id: 2, event: "ServerLog:unsubscribe" }, { id: 3, event: "Log:read" }]);
  subscription.receive({ id: 1, event: "ServerLog:read", data: [{ id: "old" }] });
  subscription.receive({ event: "ServerLog:upsert", data: { id: "old" } });
  subscription.receive({ id: 3, event: "Log:read", data: [] });
  assert.deepEqual(changes, [{ kind: "reset", records: [] }]);
});

test("a refusal is told", () => {
  const { subscription } = opened();
  subscription.read();
  subscription.receive({ id: 1, data: null, error: { code: "forbidden", message: "no", retry: false } });
  assert.equal(subscription.status, "refused");
  assert.equal(subscription.error.code, "forbidden");
});

test("waits grow to a limit and are anywhere below it", () => {
  assert.equal(backoff(0, () => 0), 100);
  assert.equal(backoff(0, () => 1), 500);
  assert.equal(backoff(3, () => 0.5), 2000);
  assert.equal(backoff(50, () => 1), 15_000);
});

test("the command has the address only where it is needed", () => {
  const page = (href) => new URL(href);
  assert.equal(pipeCommand("Log", page("http://127.0.0.1:9000/")), "tail -F app.log | backsync pipe Log");
  assert.equal(pipeCommand("ServerLog", page("http://localhost:9000/")), "tail -F app.log | backsync pipe Log");
  assert.equal(pipeCommand("Jobs", page("http://box:9000/")), "tail -F app.log | backsync pipe Jobs --url ws://box:9000/ws");
  assert.equal(socketUrl(page("https://log.example/")), "wss://log.example/ws");
});

test("names are checked as the server does", () => {
  assert.ok(["Log", "a.b-c_9", "x".repeat(128)].every(isModelName));
  assert.ok(!["", "$session", "a b", "x".repeat(129), "a:b"].some(isModelName));
});
