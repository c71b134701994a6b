/** What stands on the source of a collection, and not on what it makes of that. */

import type { Source, Watcher } from "../source.js";
import type { PopulatedOptions, Populating } from "./index.js";

/** The source, and what ends it. */
export function watch<T extends object>(
  opener: Populating,
  model: string,
  wanted: PopulatedOptions<T>,
  watcher: Watcher<T>,
): [Source<T>, () => void] {
  const collection = opener.collection<T>(model, wanted);
  const stop = collection.source.watch(watcher);
  collection.close();
  return [collection.source, stop];
}
