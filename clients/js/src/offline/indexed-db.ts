/** Storage in IndexedDB, in a database of its own. */

import { StorageError, type OfflineStorage } from "./storage.js";

const TEXTS = "texts";

/**
 * A storage in IndexedDB, in the database `name`, which is its own: one for each user, and best for most. `factory` gives what stands in
 * the place of the platform's `indexedDB`. Nothing is opened before it is used; what fails then rejects with a {@link StorageError}.
 */
export function indexedDb(name: string, factory: () => IDBFactory = () => globalThis.indexedDB): OfflineStorage {
  let opening: Promise<IDBDatabase> | undefined;

  const open = (): Promise<IDBDatabase> => {
    opening ??= new Promise<IDBDatabase>((resolve, reject) => {
      const request = factory().open(name, 1);
      request.onupgradeneeded = () => void request.result.createObjectStore(TEXTS);
      request.onerror = () => reject(request.error);
      request.onsuccess = () => {
        const database = request.result;
        const forget = (): void => void (opening = undefined);
        // Whoever deletes the database is not kept waiting; the next call opens a new one.
        database.onversionchange = () => {
          database.close();
          forget();
        };
        database.onclose = forget;
        resolve(database);
      };
    });
    opening.catch(() => (opening = undefined));
    return opening;
  };

  /** One transaction; resolves when it is complete. */
  const transact = async <T>(mode: IDBTransactionMode, work: (texts: IDBObjectStore, found: (result: T) => void) => void): Promise<T> => {
    try {
      const database = await open();
      return await new Promise<T>((resolve, reject) => {
        const transaction = database.transaction(TEXTS, mode);
        let result: T;
        transaction.oncomplete = () => resolve(result);
        transaction.onabort = () => reject(transaction.error ?? new Error("the transaction was aborted"));
        work(transaction.objectStore(TEXTS), (found) => (result = found));
      });
    } catch (cause) {
      throw StorageError.of(cause);
    }
  };

  return {
    name,
    list: (prefix) =>
      transact("readonly", (texts, found) => {
        const last = prefix.length - 1;
        const behind = prefix.slice(0, last) + String.fromCharCode(prefix.charCodeAt(last) + 1);
        const range = IDBKeyRange.bound(prefix, behind, false, true);
        const keys = texts.getAllKeys(range);
        const values = texts.getAll(range);
        values.onsuccess = () => found(keys.result.map((key, at) => [String(key), String(values.result[at])]));
      }),
    write: (changes, condition) =>
      transact("readwrite", (texts, found) => {
        const set = (): void => {
          for (const [key, text] of changes) {
            if (text === null) texts.delete(key);
            else texts.put(text, key);
          }
          found(true);
        };
        if (!condition) return set();
        const current = texts.get(condition.key);
        current.onsuccess = () => (current.result === condition.text ? set() : found(false));
      }),
    async close() {
      const database = await opening?.catch(() => undefined);
      database?.close();
      opening = undefined;
    },
  };
}
