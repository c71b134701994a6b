/**
 * Collections in React, by the hook {@link useCollection}.
 *
 * @module backsync/react
 */

import { useCallback, useEffect, useState, useSyncExternalStore } from "react";

import type { Collection, CollectionOptions } from "../collection.js";
import type { SourceState } from "../contents.js";
import type { Criteria } from "../criteria.js";
import type { BacksyncError } from "../errors.js";
import type { Stored } from "../messages.js";
import type { Opener } from "../opener.js";

/** What a component sees of a collection. */
export interface CollectionView<T extends object> {
  /** In their order: the same array until something changes. */
  readonly records: readonly Stored<T>[];
  /** How it stands: `loading` until there is something to see. */
  readonly state: SourceState;
  /** Why it is in state `failed`. */
  readonly error: BacksyncError | undefined;
  /** To write to; `undefined` before it is open. */
  readonly collection: Collection<T> | undefined;
}

const NOTHING: readonly never[] = [];

/**
 * The records of a model, for as long as the component is there, or wants the same: criteria and sort are compared by what they say, a
 * function that sorts by what it is: keep that in one place, as each new one opens the collection again. `populate` is for
 * `populated(client)`, of `backsync/populate`.
 *
 * ```jsx
 * function Tasks({ client }) {
 *   const { records, state } = useCollection(client, "Task", { where: { done: false }, sort: "title" });
 *   return state === "loading" ? "…" : records.map((task) => <p key={task.id}>{task.title}</p>);
 * }
 * ```
 *
 * `client` is a client, what `openOffline` gives, or another connector: the same one each time. Nothing is thrown where the server does
 * not let us listen: `state` is `failed` then, and `error` says why. A server that renders sees no records.
 */
export function useCollection<T extends object = Record<string, unknown>>(
  client: Opener,
  model: string,
  options: Criteria & CollectionOptions<T> & { readonly populate?: object } = {},
): CollectionView<T> {
  const { where, ids, sort, populate } = options;
  const order = typeof sort === "function" ? sort : undefined;
  const wanted = JSON.stringify([model, where, ids, populate, order ? null : sort]);
  const [opened, setOpened] = useState<{ client: Opener; wanted: string; collection: Collection<T> }>();
  useEffect(() => {
    const collection = client.collection<T>(model, options);
    setOpened({ client, wanted, collection });
    return () => collection.close();
    // What is in `options` is in `wanted` and `order`.
  }, [client, wanted, order]);
  // Nobody sees the records of what was wanted before.
  const collection = opened?.client === client && opened.wanted === wanted ? opened.collection : undefined;
  const records = useLive<T, readonly Stored<T>[]>(collection, ({ records }) => records, NOTHING);
  const state = useLive<T, SourceState>(collection, ({ state }) => state, "loading");
  return { records, state, error: collection?.error, collection };
}

function useLive<T extends object, V>(collection: Collection<T> | undefined, value: (collection: Collection<T>) => V, before: V): V {
  const now = (): V => (collection ? value(collection) : before);
  const subscribe = useCallback(
    (changed: () => void) => {
      // A collection that is closed by hand tells its state alone.
      const stops = [collection?.on("update", changed), collection?.on("state", changed)];
      return () => stops.forEach((stop) => stop?.());
    },
    [collection],
  );
  return useSyncExternalStore(subscribe, now, now);
}
