import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";

/** Looks again and again until what `look` resolves to is `wanted`; after half a minute says how it is. */
export async function until(look, wanted) {
  const end = Date.now() + 30_000;
  for (;;) {
    const seen = await look();
    if (isDeepStrictEqual(seen, wanted)) return;
    if (Date.now() > end) assert.deepEqual(seen, wanted);
    await wait(30);
  }
}
