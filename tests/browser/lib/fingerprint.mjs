import assert from "node:assert/strict";

/**
 * The ids of records, and a hash of each whole record, in their order: what can be fetched from a page where all of
 * 100,000 records cannot so well. Runs here and, as text, in the page; so it uses nothing around it.
 */
export function fingerprint(records) {
  const hash = (text) => {
    let [a, b] = [0xdeadbeef, 0x41c6ce57];
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      a = Math.imul(a ^ unit, 2654435761);
      b = Math.imul(b ^ unit, 1597334677);
    }
    return `${(a >>> 0).toString(36)}.${(b >>> 0).toString(36)}`;
  };
  return { ids: records.map((record) => record.id), hashes: records.map((record) => hash(JSON.stringify(record))) };
}

/** Says how a page differs from what it should show, by the first place where it does. */
export function assertSame(name, actual, expected) {
  const { ids } = actual;
  const unique = new Set(ids);
  const duplicates = ids.length - unique.size;
  const missing = expected.ids.filter((id) => !unique.has(id)).length;
  const at = expected.ids.findIndex((id, index) => id !== ids[index] || expected.hashes[index] !== actual.hashes[index]);
  const what = `${name}: ${ids.length} of ${expected.ids.length} records, ${missing} missing, ${duplicates} twice`;
  assert.equal(at, -1, `${what}; the first that differs is number ${at}: ${ids[at]} for ${expected.ids[at]}`);
  assert.equal(ids.length, expected.ids.length, what);
}
