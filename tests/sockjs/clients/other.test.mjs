/** A SockJS client that has nothing in common with sockjs-client but the protocol: it streams over XHR, in its own words. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createRequire } from "node:module";
import { test } from "node:test";

import { Broker } from "../../browser/lib/broker.mjs";
import { cleanUp } from "../../browser/lib/cleanup.mjs";
import { echoServer } from "../lib/echo.mjs";

const { create } = createRequire(import.meta.url)("sockjs-client-0.1");
const { echo } = await echoServer();

const ECHOED = 200;

async function connected(t, url) {
  const client = create(url);
  cleanUp(t, () => client.close());
  const messages = [];
  client.on("data", (text) => messages.push(text));
  // `once` rejects on "error".
  await once(client.emitter, "connection");
  const next = async () => {
    while (messages.length === 0) await once(client.emitter, "data", { signal: AbortSignal.timeout(8000) });
    return messages.shift();
  };
  return { client, next };
}

test("it hears what it says, over many responses", async (t) => {
  const { client, next } = await connected(t, echo);
  for (let i = 0; i < ECHOED; i++) {
    const text = `${i} äöü \u2028 ${"x".repeat(100)}`;
    client.write(text);
    assert.equal(await next(), text);
  }
});

test("it reads, writes, and hears the push of another", async (t) => {
  const broker = await Broker.start(t);
  const [one, two] = [await connected(t, `${broker.url}/sockjs`), await connected(t, `${broker.url}/sockjs`)];
  const send = ({ client }, message) => client.write(JSON.stringify(message));
  const hears = async ({ next }) => JSON.parse(await next());

  send(one, { id: 1, event: "Fruit:read" });
  assert.deepEqual((await hears(one)).data, []);
  send(two, { id: "w", event: "Fruit:upsert", data: { id: "a", name: "äpfel </script>" } });
  const reply = await hears(two);
  assert.equal(reply.id, "w");
  const push = await hears(one);
  assert.deepEqual([push.event, push.data], ["Fruit:upsert", { id: "a", name: "äpfel </script>", _rev: 1 }]);
  assert.deepEqual(reply.data, push.data);
  send(one, { id: 2, event: "Fruit:delete", data: { id: "a" } });
  assert.equal((await hears(one)).event, "Fruit:delete");
  assert.deepEqual((await hears(one)).data, {});
});
