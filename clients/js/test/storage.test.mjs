/** The storages, each by the same suite; those of pages in `offline-browser.test.mjs`. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { localStorage, memory } from "backsync/offline";
import { STORAGE_SUITE } from "./lib/storage-suite.mjs";
import { WebStorage } from "./lib/web-storage.mjs";

const same = (found, wanted) => assert.deepEqual(found, wanted);

const places = {
  memory() {
    const storage = memory();
    return { open: () => storage, lasts: false };
  },
  localStorage() {
    const web = new WebStorage();
    return {
      open: () => localStorage("test", () => web),
      lasts: true,
      fill: async () => void (web.room = 1000),
      broken: () =>
        localStorage("test", () => {
          throw new DOMException("not here", "SecurityError");
        }),
    };
  },
};

for (const [name, place] of Object.entries(places)) {
  describe(name, () => {
    for (const [what, run] of Object.entries(STORAGE_SUITE)) test(what, () => run({ ...place(), same }));
  });
}

test("several names in one localStorage are apart", async () => {
  const web = new WebStorage();
  const [one, two] = [localStorage("one", () => web), localStorage("two", () => web)];
  await one.write(new Map([["k:1", "a"]]));
  same(await two.list("k:"), []);
});
