/** Whatever opens collections: a client, with or without a connection. */

import type { Collection, CollectionOptions } from "./collection.js";
import type { Criteria } from "./criteria.js";

/** Opens collections: a client, a client that goes on offline, or whatever else has records. */
export interface Opener {
  /** The records of a model that match, for as long as the collection is not closed. */
  collection<T extends object>(model: string, options?: Criteria & CollectionOptions<T>): Collection<T>;
}
