import assert from "node:assert/strict";
import test from "node:test";
import { plain, runs } from "../../src/server/console/ansi.js";
import { describe, fullTime, lineText, searchText, shortCount, timeOf } from "../../src/server/console/format.js";
import { LEVELS, levelOf } from "../../src/server/console/levels.js";

const levelName = (level) => LEVELS[levelOf({ level })];

test("levels are known in any case, by their aliases and as pino's numbers", () => {
  assert.deepEqual(["INFO", "Warning", " err ", "critical", 30, 50, "t"].map(levelName), ["info", "warn", "error", "fatal", "info", "error", "trace"]);
  assert.deepEqual([undefined, null, 7, {}, "loud", true].map(levelName), Array(6).fill("other"));
  assert.equal(LEVELS[levelOf({ severity: "ERROR" })], "error");
});

test("a line has its message, target and other fields", () => {
  assert.deepEqual(describe({ id: "1", _rev: 3, time: 1, level: "info", target: "app", message: "hi", n: 1, s: "a b", o: { x: null } }), {
    message: "hi", target: "app", fields: [["n", "1"], ["s", '"a b"'], ["o", '{"x":null}']],
  });
});

test("nested fields, as tracing writes them, are members", () => {
  assert.deepEqual(describe({ id: "1", fields: { message: "hi", n: 1 }, target: "x" }), { message: "hi", target: "x", fields: [["n", "1"]] });
});

test("without a message the line is the record", () => {
  assert.equal(describe({ id: "1", _rev: 1, level: "info", a: 1 }).message, '{"a":1}');
  assert.equal(describe({ id: "1" }).message, "");
  assert.equal(describe({ id: "1", message: null, a: 1 }).message, '{"message":null,"a":1}');
});

test("members of odd types are shown and never throw", () => {
  assert.equal(describe({ id: "1", message: { a: [1] } }).message, '{"a":[1]}');
  assert.equal(describe({ id: "1", message: 5 }).message, "5");
  assert.equal(describe({ id: "1", message: "x", target: 7, fields: "text" }).target, "7");
  for (const odd of [null, 1, "", [], {}, true]) lineText({ id: "1", time: odd, level: odd, message: odd, target: odd, fields: odd });
});

test("time is read from text and from numbers of any unit", () => {
  const at = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
  for (const time of ["2026-01-02T03:04:05.678Z", "2026-01-02T04:04:05.678+01:00", at, at / 1000, at * 1000, String(at)]) {
    assert.equal(Math.round(timeOf({ id: "1", time }).at), at, String(time));
  }
  assert.equal(timeOf({ id: "1", time: "soon" }), null);
  assert.equal(timeOf({ id: "1", time: 1e300 }), null);
});

test("a UUIDv7 id places a record that has no time", () => {
  assert.deepEqual(timeOf({ id: "017f22e2-79b0-7cc3-98c4-dc0c0c07398f" }), { at: 1645557742000, own: false });
  assert.equal(timeOf({ id: "017f22e2-79b0-4cc3-98c4-dc0c0c07398f" }), null);
});

test("escapes become runs, and are gone from what is searched", () => {
  const message = "\x1b[1;31mred\x1b[0m \x1b[38;5;2mgreen\x1b[m\x1b]0;title\x07!";
  assert.deepEqual(runs(message), [
    { text: "red", style: "ansi-1 ansi-bold" }, { text: " ", style: "" }, { text: "green", style: "ansi-2" }, { text: "!", style: "" },
  ]);
  assert.equal(searchText({ id: "1", message }), "red green!");
});

test("control characters are pictured and marks that turn the text are taken out", () => {
  assert.equal(plain("a\x00b\rc\td\x7f"), "a␀bc\td␡");
  assert.equal(plain("a\u202eb"), "a\ufffdb");
});

test("a copied record is one line", () => {
  assert.equal(lineText({ id: "1", time: 0, level: "warn", message: "a\nb", n: 1 }), "1970-01-01T00:00:00.000Z WARN  a\\nb n=1");
});

test("full times bear their offset and counts fit their chips", () => {
  assert.match(fullTime(0), /^(1970-01-01|1969-12-31) \d\d:\d\d:00\.000 [+−]\d\d:\d\d$/);
  assert.deepEqual([0, 999, 1234, 9949, 9950, 100_000].map(shortCount), ["0", "999", "1.2k", "9.9k", "10k", "100k"]);
});
