/** What the headers of SockJS answers have to be. */

import assert from "node:assert/strict";

export const NEVER = "no-store, no-cache, no-transform, must-revalidate, max-age=0";

export const SCRIPT = "application/javascript; charset=UTF-8";
export const PLAIN = "text/plain; charset=UTF-8";
export const HTML = "text/html; charset=UTF-8";

/** What a polling or streaming client gets must not come out of a cache. */
export function assertNeverCached(answer) {
  assert.equal(answer.headers["cache-control"], NEVER);
  assert.equal(answer.headers.expires, undefined);
  assert.equal(answer.headers["last-modified"], undefined);
}

/** A page of any origin, `null` included, may read this answer; without an origin it is anybody's, but without cookies. */
export function assertReadableBy(answer, origin) {
  assert.equal(answer.headers["access-control-allow-origin"], origin ?? "*");
  assert.equal(answer.headers["access-control-allow-credentials"], origin === undefined ? undefined : "true");
  assert.match(answer.headers.vary ?? "", /\borigin\b/i);
}

/** Something a browser may keep for a year. */
export function assertKeptForLong(answer) {
  assert.match(answer.headers["cache-control"], /\bpublic\b/);
  assert.match(answer.headers["cache-control"], /\bmax-age=[1-9][0-9]{6}/);
  assert.ok(Date.parse(answer.headers.expires) > Date.now() + 1_000_000_000, answer.headers.expires);
  assert.equal(answer.headers["last-modified"], undefined);
}

/** `allow`: the methods that do something there. That a preflight is answered, too, does no harm. */
export function assertNotAllowed(answer, allow) {
  assert.equal(answer.status, 405);
  const allowed = new Set(answer.headers.allow?.split(", "));
  for (const method of allow) assert.ok(allowed.delete(method), `${method} is not in Allow: ${answer.headers.allow}`);
  allowed.delete("OPTIONS");
  assert.deepEqual([...allowed], []);
  assert.equal(answer.headers["content-type"], undefined);
  assert.equal(answer.body, "");
}
