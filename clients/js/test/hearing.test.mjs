/** What an instance of Backbone's is told of records that it came to know in several ways. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "backsync";
import { Hearing } from "../dist/backbone/hearing.js";
import { Scripted, settled } from "./lib/scripted.mjs";

/** A hearing of a model, and a server of which the test says every word. `told`: `[id, n, whether it was missed]`, without `n` where it is gone. */
async function begin(t) {
  const server = new Scripted();
  const client = connect("http://server", { transports: [server.transport], reconnect: { first: 0, longest: 0 } });
  t.after(() => client.close());
  await settled();
  const told = [];
  const hearing = new Hearing(client.collection("A"), {
    upserted: ({ id, n }, before, isMissed) => told.push([id, n, isMissed]),
    deleted: ({ id }, left, isMissed) => told.push([id, isMissed]),
  });
  const query = () => server.link.sent.findLast(({ event }) => event === "A:read");
  const answer = (data, more = {}) => server.link.say({ id: query().id, data, position: "p", ...more });
  const push = (data, method = "upsert") => server.link.say({ event: `A:${method}`, data, position: "q" });
  const reconnect = async () => {
    const links = server.links.length;
    server.link.close();
    while (server.links.length === links) await settled();
    await settled();
  };
  return { server, hearing, told, answer, push, reconnect };
}

const rec = (id, n, _rev = n) => ({ id, n, _rev });

test("what there was is not told where nobody knew anything, what comes is", async (t) => {
  const { told, answer, push } = await begin(t);
  answer([rec("a", 1)]);
  push(rec("a", 2));
  push(rec("b", 3));
  push(rec("a", 2), "delete");
  assert.deepEqual(told, [["a", 2, false], ["b", 3, false], ["a", false]]);
});

test("what was read otherwise is compared with what is heard when that begins", async (t) => {
  const { hearing, told, answer } = await begin(t);
  hearing.knows([rec("a", 1), rec("b", 2), rec("c", 3)]);
  answer([rec("a", 1), rec("b", 4), rec("d", 5)]);
  assert.deepEqual(told, [["b", 4, true], ["d", 5, true], ["c", true]]);
});

test("what was read otherwise may be ahead of what is heard, which is not told then", async (t) => {
  const { hearing, told, answer, push } = await begin(t);
  answer([rec("a", 1)]);
  hearing.knows([rec("a", 3)]);
  push(rec("a", 2));
  push(rec("a", 3));
  push(rec("a", 4));
  assert.deepEqual(told, [["a", 4, false]]);
});

test("what became of records while the connection was lost was missed, and what comes then was not", async (t) => {
  const { told, answer, push, reconnect } = await begin(t);
  answer([rec("a", 1), rec("b", 2)]);
  await reconnect();
  answer([rec("a", 3)], { deleted: ["b"] });
  push(rec("a", 4));
  assert.deepEqual(told, [["b", true], ["a", 3, true], ["a", 4, false]]);
});

test("what was read while the connection was lost is compared when it is back", async (t) => {
  const { hearing, told, answer, reconnect, server } = await begin(t);
  answer([rec("a", 2)]);
  server.opens = false;
  server.link.close();
  await settled();
  assert.equal(hearing.collection.state, "stale");
  hearing.knows([rec("a", 1)]);
  assert.deepEqual(told, []);
  server.opens = true;
  await reconnect();
  answer([], { deleted: [] });
  assert.deepEqual(told, [["a", 2, true]]);
});

test("a history that begins anew counts anew", async (t) => {
  const { told, answer, reconnect, push } = await begin(t);
  answer([rec("a", 7), rec("b", 8)]);
  await reconnect();
  answer([rec("a", 1)], { reset: true });
  push(rec("a", 2));
  assert.deepEqual(told, [["a", 1, true], ["b", true], ["a", 2, false]]);
});
