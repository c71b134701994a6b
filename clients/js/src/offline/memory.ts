/** A storage that lasts as long as the page: for tests, and for whoever has nothing better. */

import { sortedWith, type OfflineStorage } from "./storage.js";

/** A storage that is empty, and lasts as long as the page: nothing is kept over visits, and no other tab sees it. */
export function memory(): OfflineStorage {
  const texts = new Map<string, string>();
  return {
    name: undefined,
    list: async (prefix) => sortedWith(prefix, texts),
    async write(changes, condition) {
      if (condition && texts.get(condition.key) !== condition.text) return false;
      for (const [key, text] of changes) {
        if (text === null) texts.delete(key);
        else texts.set(key, text);
      }
      return true;
    },
    close: async () => {},
  };
}
