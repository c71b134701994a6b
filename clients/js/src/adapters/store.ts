/** Collections as stores, for whatever takes the contract of Svelte's: Svelte itself, and a few lines around Vue, Solid or none. */

import type { Collection } from "../collection.js";
import type { Stored } from "../messages.js";

/** Calls `run` with the value at once, and whenever it is another; the function returned ends that. */
export interface Readable<V> {
  subscribe(run: (value: V) => void): () => void;
}

/** The records of a collection, which is opened with the first subscriber and closed with the last. */
export function store<T extends object>(open: () => Collection<T>): Readable<readonly Stored<T>[]> {
  let collection: Collection<T> | undefined;
  let subscribers = 0;
  return {
    subscribe(run) {
      collection ??= open();
      const current = collection;
      subscribers++;
      let isOver = false;
      const stop = current.on("update", () => run(current.records));
      run(current.records);
      return () => {
        if (isOver) return;
        isOver = true;
        stop();
        if (--subscribers > 0) return;
        current.close();
        collection = undefined;
      };
    },
  };
}
