/** What matches a filter here has to match it on the server: the same records, by both. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "backsync";
import { Broker } from "../../../tests/browser/lib/broker.mjs";
import { matches } from "../dist/filter.js";
import { WAYS } from "./lib/ways.mjs";

const VALUES = [null, true, false, 0, 1, 1.5, -3, "", "a", "ab", "b", "7", "\uffff", "\u{10000}", [], [1, "a", { c: 1 }], {}, { c: 1 }, { c: { d: 2 } }, { $odd: 1 }];
const OPERANDS = [...VALUES, { c: 1.0 }, { d: 1, c: 1 }];

function filters() {
  const single = OPERANDS.flatMap((operand) => ["$eq", "$ne", "$contains"].map((operator) => ({ v: { [operator]: operand } })));
  const plain = OPERANDS.filter((operand) => !(operand && operand.$odd)).map((operand) => ({ v: operand }));
  const ordered = [0, 1, "a", "b", "\uffff", "\u{10000}", ""].flatMap((operand) => ["$gt", "$gte", "$lt", "$lte"].map((operator) => ({ v: { [operator]: operand } })));
  const others = [
    {}, { v: { $exists: true } }, { v: { $exists: false } }, { v: { $prefix: "a" } }, { v: { $prefix: "" } }, { v: { $in: [1, "a", null] } }, { v: { $nin: [1, "a"] } },
    { v: { $in: [] } }, { v: { $nin: [] } }, { "v.c": 1 }, { "v.c.d": { $gt: 1 } }, { "v.c": { $ne: 1 } }, { "v.0": 1 }, { v: { $not: { $gt: 0 } } }, { v: { $gte: 0, $lt: 1.5 } },
    { $and: [] }, { $or: [] }, { $or: [{ v: 1 }, { v: "a" }] }, { $and: [{ v: { $gt: 0 } }, { v: { $ne: 1 } }] }, { $not: { v: 1 } }, { $not: {} }, { v: 1, n: 4 },
    { id: 7 }, { id: "7" }, { id: { $in: [7, 8, "9"] } }, { id: { $ne: 7 } }, { id: { $gt: "5" } }, { id: { $not: { $eq: 7 } } },
  ];
  return [...single, ...plain, ...ordered, ...others];
}

test("the same records match here and on the server", async (t) => {
  const broker = await Broker.start(t, { store: "memory:" });
  const client = connect(broker.url, { transports: [WAYS.websocket()] });
  t.after(() => client.close());
  await client.upsert("A", [...VALUES.map((v, n) => ({ id: n, n, v })), { id: "missing" }]);
  const records = await client.read("A");
  const all = filters();
  const answers = await Promise.all(all.map((where) => client.read("A", { where })));
  assert.ok(all.length > 120);
  for (const [at, where] of all.entries()) {
    const here = records.filter((record) => matches(where, record)).map(({ id }) => id);
    assert.deepEqual(here, answers[at].map(({ id }) => id), JSON.stringify(where));
  }
});
