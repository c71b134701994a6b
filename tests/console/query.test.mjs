import assert from "node:assert/strict";
import test from "node:test";
import { matchesIn, parseQuery } from "../../src/server/console/query.js";

const passes = (typed, text) => {
  const { pattern, negated } = parseQuery(typed);
  return pattern === null || pattern.test(text) !== negated;
};

test("text is found in any case and taken literally", () => {
  assert.ok(passes("ERR", "an error"));
  assert.ok(passes("a.b(c)", "x A.B(C) y"));
  assert.ok(!passes("a.b", "axb"));
  assert.ok(passes("ŻÓŁĆ", "żółć"));
  assert.ok(passes("   ", "anything"));
});

test("a regular expression stands between slashes, with flags", () => {
  assert.ok(passes("/^a.c$/", "abc"));
  assert.ok(!passes("/ABC/", "abc"));
  assert.ok(passes("/ABC/i", "abc"));
  assert.ok(passes("/api/users", "GET /api/users"));
});

test("a broken regular expression says why and lets everything through", () => {
  const query = parseQuery("/(/");
  assert.equal(query.pattern, null);
  assert.match(query.error, /group/i);
  assert.ok(parseQuery("/a/ii").error);
});

test("an exclamation mark excludes", () => {
  assert.ok(!passes("!ping", "a PING"));
  assert.ok(passes("!ping", "a pong"));
  assert.ok(!passes("!/^a/", "abc"));
  assert.ok(passes("!", "wow!"));
});

test("matches are marked wherever they are, but not those of an excluded text", () => {
  assert.deepEqual(matchesIn("aXbxc", parseQuery("x")), [[1, 2], [3, 4]]);
  assert.deepEqual(matchesIn("abc", parseQuery("!a")), []);
  assert.deepEqual(matchesIn("abc", parseQuery("/z*/")), []);
  assert.deepEqual(matchesIn("abc", parseQuery("")), []);
});
