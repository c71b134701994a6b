/** Storage in `localStorage`, below a name: some 5 MB, and everywhere. */

import { sortedWith, StorageError, type OfflineStorage } from "./storage.js";

/** The platform's `localStorage`, or what does as it does. */
export type WebStorage = Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">;

/**
 * A storage in `localStorage`, whose keys begin with `name` and a colon: one for each user. There is room for some 5 MB in all. `storage`
 * gives what stands in the place of the platform's. What fails rejects with a {@link StorageError}.
 */
export function localStorage(name: string, storage: () => WebStorage = () => globalThis.localStorage): OfflineStorage {
  const own = `${name}:`;
  const set = (key: string, text: string | null): void => {
    if (text === null) storage().removeItem(own + key);
    else storage().setItem(own + key, text);
  };
  // Nothing of the page comes between the steps of a call, so each is one.
  const attempt = async <T>(work: () => T): Promise<T> => {
    try {
      return work();
    } catch (cause) {
      throw StorageError.of(cause);
    }
  };
  return {
    name,
    list: (prefix) =>
      attempt(() => {
        const all = storage();
        const keys = Array.from({ length: all.length }, (_, at) => all.key(at)!).filter((key) => key.startsWith(own));
        return sortedWith(prefix, keys.map((key) => [key.slice(own.length), all.getItem(key)!]));
      }),
    write: (changes, condition) =>
      attempt(() => {
        if (condition && (storage().getItem(own + condition.key) ?? undefined) !== condition.text) return false;
        const before: [string, string | null][] = [];
        try {
          // What goes makes room for what comes.
          const ordered = [...changes].sort(([, a], [, b]) => Number(a !== null) - Number(b !== null));
          for (const [key, text] of ordered) {
            before.push([key, storage().getItem(own + key)]);
            set(key, text);
          }
        } catch (cause) {
          // The last one first: then there is room again for what was there.
          for (const [key, text] of before.reverse()) set(key, text);
          throw cause;
        }
        return true;
      }),
    close: async () => {},
  };
}
