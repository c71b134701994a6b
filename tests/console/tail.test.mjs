import assert from "node:assert/strict";
import test from "node:test";
import { ALL_LEVELS, LEVELS } from "../../src/server/console/levels.js";
import { parseQuery } from "../../src/server/console/query.js";
import { Tail } from "../../src/server/console/tail.js";

// Time that passes by one with every look at it, so that a budget is a number of looks.
function clock() {
  let now = 0;
  return () => now++;
}

function tailOf(capacity = 1000) {
  const tail = new Tail(capacity, clock());
  return Object.assign(tail, {
    finish: () => {
      for (let i = 0; tail.work(1); i++) assert.ok(i < 10_000, "work comes to an end");
    },
    ids: () => Array.from(tail.view.shown, (row) => row.id),
  });
}

const record = (id, members = {}) => ({ id: String(id), message: `m${id}`, level: "info", ...members });
const records = (from, to) => Array.from({ length: to - from }, (_, i) => record(from + i));
const names = (from, to) => Array.from({ length: to - from }, (_, i) => String(from + i));
const upsert = (tail, ...list) => list.forEach((one) => tail.push({ kind: "upsert", record: one }));

test("records are shown in the order they came, and an upsert of a known id changes its row in place", () => {
  const tail = tailOf();
  tail.push({ kind: "reset", records: records(0, 3) });
  upsert(tail, record(3), record(1, { message: "changed" }));
  tail.finish();
  assert.deepEqual(tail.ids(), ["0", "1", "2", "3"]);
  assert.equal(tail.view.shown.at(1).record.message, "changed");
  assert.equal(tail.arrived, 1, "only what is new and live counts");
});

test("deletes close up, wherever they are", () => {
  const tail = tailOf();
  tail.push({ kind: "reset", records: records(0, 6) });
  for (const id of ["0", "3", "5", "nobody"]) tail.push({ kind: "delete", id });
  tail.finish();
  assert.deepEqual(tail.ids(), ["1", "2", "4"]);
  assert.equal(tail.store.size, 3);
  assert.equal(tail.store.counts[LEVELS.indexOf("info")], 3);
});

test("a deleted id that comes again is a new row at the end", () => {
  const tail = tailOf();
  upsert(tail, record(0), record(1));
  tail.push({ kind: "delete", id: "0" });
  upsert(tail, record(0));
  tail.finish();
  assert.deepEqual(tail.ids(), ["1", "0"]);
});

test("beyond the capacity the oldest go, and are counted", () => {
  const tail = tailOf(10);
  tail.push({ kind: "reset", records: records(0, 12) });
  tail.finish();
  upsert(tail, ...records(12, 25));
  tail.finish();
  assert.deepEqual(tail.ids(), names(15, 25));
  assert.equal(tail.store.dropped, 15);
  assert.equal(tail.store.size, 10);
});

test("a filter finds the same in one go, in slices, and as rows come", () => {
  const tail = tailOf(5000);
  tail.push({ kind: "reset", records: records(0, 3000) });
  tail.view.filter(parseQuery("7"), ALL_LEVELS);
  tail.work(1);
  upsert(tail, ...records(3000, 3100));
  tail.finish();
  upsert(tail, ...records(3100, 3200));
  tail.finish();
  assert.deepEqual(tail.ids(), names(0, 3200).filter((id) => id.includes("7")));
});

test("changes during a pass of the filter are in its result", () => {
  const tail = tailOf(5000);
  tail.push({ kind: "reset", records: records(0, 2000) });
  tail.finish();
  tail.view.filter(parseQuery("yes"), ALL_LEVELS);
  let step = 0;
  let more = true;
  while (more) {
    upsert(tail, record(10 + step, { message: "yes" }), record(1990 - step, { message: "yes" }));
    if (step === 3) tail.push({ kind: "delete", id: "10" });
    if (step++ > 5) break;
    more = tail.work(2);
  }
  tail.finish();
  const expected = Array.from(tail.store.rows).filter((row) => row.record.message === "yes").map((row) => row.id);
  assert.ok(expected.length >= 4 && !expected.includes("10"));
  assert.deepEqual(tail.ids(), expected);
});

test("a changed row comes into a filtered view at its own place, and leaves it", () => {
  const tail = tailOf();
  tail.push({ kind: "reset", records: records(0, 5).map((r, i) => ({ ...r, level: i % 2 ? "error" : "info" })) });
  tail.view.filter(parseQuery(""), 1 << LEVELS.indexOf("error"));
  tail.finish();
  upsert(tail, record(2, { level: "error" }), record(3, { level: "info" }));
  tail.finish();
  assert.deepEqual(tail.ids(), ["1", "2"]);
});

test("a paused view stands still, counts what it misses, and catches up", () => {
  const tail = tailOf(10);
  tail.push({ kind: "reset", records: records(0, 5) });
  tail.finish();
  tail.view.pause();
  upsert(tail, record(1, { message: "changed" }), ...records(5, 12));
  tail.push({ kind: "delete", id: "3" });
  tail.finish();
  assert.deepEqual(tail.ids(), names(0, 5));
  assert.equal(tail.view.shown.at(1).record.message, "m1", "what one reads does not change");
  assert.equal(tail.view.behind, 7);
  tail.view.resume();
  tail.finish();
  assert.deepEqual(tail.ids(), Array.from(tail.store.rows, (row) => row.id));
  assert.equal(tail.view.behind, 0);
});

test("a filter set while paused looks only at what was there, and counts anew what it misses", () => {
  const tail = tailOf();
  tail.push({ kind: "reset", records: records(0, 20) });
  tail.finish();
  tail.view.pause();
  upsert(tail, ...records(20, 40));
  tail.finish();
  tail.view.filter(parseQuery("/[05]$/"), ALL_LEVELS);
  tail.finish();
  assert.deepEqual(tail.ids(), ["0", "5", "10", "15"]);
  assert.equal(tail.view.behind, 4);
});

test("reading again keeps rows that did not change, drops those gone and adds those new", () => {
  const tail = tailOf();
  tail.push({ kind: "reset", records: records(0, 4).map((r) => ({ ...r, _rev: 1 })) });
  tail.finish();
  const kept = tail.store.get("2");
  tail.push({ kind: "reset", records: [record(1, { _rev: 9 }), record(2, { _rev: 1 }), record(3, { _rev: 1 }), record(4, { _rev: 10 })] });
  tail.finish();
  assert.deepEqual(tail.ids(), names(1, 5));
  assert.equal(tail.store.get("2"), kept);
  assert.equal(tail.store.get("1").seq, 1);
  upsert(tail, record(5));
  tail.finish();
  assert.deepEqual(tail.ids(), names(1, 6));
});

test("reading again in another order follows the server's order", () => {
  const tail = tailOf();
  tail.push({ kind: "reset", records: records(0, 4) });
  tail.finish();
  tail.push({ kind: "reset", records: [3, 9, 0, 1].map((id) => record(id)) });
  tail.finish();
  assert.deepEqual(tail.ids(), ["3", "9", "0", "1"]);
  assert.equal(tail.store.size, 4);
});

test("what was missed while away is merged in", () => {
  const tail = tailOf();
  tail.push({ kind: "reset", records: records(0, 4) });
  tail.push({ kind: "merge", records: [record(1, { message: "changed" }), record(4)], deleted: ["0"] });
  tail.finish();
  assert.deepEqual(tail.ids(), ["1", "2", "3", "4"]);
  assert.equal(tail.arrived, 0);
});

test("cleared lines stay away when the model is read again", () => {
  const tail = tailOf();
  tail.push({ kind: "reset", records: records(0, 4) });
  tail.finish();
  tail.clear();
  assert.deepEqual(tail.ids(), []);
  tail.push({ kind: "reset", records: records(0, 6) });
  tail.finish();
  assert.deepEqual(tail.ids(), ["4", "5"]);
});

test("a flood on a page that gets no frames is taken in without one", () => {
  const tail = tailOf(100);
  upsert(tail, ...records(0, 25_000));
  assert.ok(tail.store.size === 100 && tail.arrived >= 20_000);
  tail.finish();
  assert.equal(tail.store.rows.last.id, "24999");
});

test("any run of changes shows what a plain list would", () => {
  let seed = 7;
  const random = (n) => (seed = (seed * 48271) % 2147483647) % n;
  for (let round = 0; round < 30; round++) {
    const tail = tailOf(40);
    let model = [];
    for (let i = 0; i < 300; i++) {
      const one = record(random(80), { message: random(3) ? "yes" : "no" });
      switch (random(12)) {
        case 0: {
          tail.push({ kind: "delete", id: one.id });
          model = model.filter((r) => r.id !== one.id);
          break;
        }
        case 1: tail.view.filter(parseQuery(["yes", "no", ""][random(3)]), ALL_LEVELS); break;
        case 2: tail.view.pause(); break;
        case 3: tail.view.resume(); break;
        case 4: tail.work(1); break;
        default: {
          tail.push({ kind: "upsert", record: one });
          const at = model.findIndex((r) => r.id === one.id);
          if (at >= 0) model[at] = one;
          else model.push(one);
          if (model.length > 40) model.shift();
        }
      }
    }
    tail.view.resume();
    tail.finish();
    const { pattern } = tail.view.query;
    assert.deepEqual(tail.ids(), model.filter((r) => !pattern || pattern.test(r.message)).map((r) => r.id), `round ${round}`);
    assert.equal(tail.store.counts.reduce((sum, n) => sum + n), model.length);
  }
});
