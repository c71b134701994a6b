/**
 * Collections as stores, for whatever takes the contract of Svelte's: Svelte itself, and a few lines around Vue, Solid or none.
 *
 * @module backsync/store
 */

import type { Collection } from "../collection.js";
import type { Stored } from "../messages.js";

/** A value that changes: the contract of Svelte's stores. */
export interface Readable<V> {
  /** Call `run` with the value at once, and whenever it is another; the function returned ends that. */
  subscribe(run: (value: V) => void): () => void;
}

/**
 * The records of a collection in their order. `open` is called for the first subscriber, and what it gives is closed with the last; the
 * next one opens it again.
 *
 * ```js
 * const tasks = store(() => client.collection("Task", { sort: "title" }));
 * const stop = tasks.subscribe((records) => draw(records));
 * ```
 */
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
