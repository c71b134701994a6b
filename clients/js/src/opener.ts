/** Whatever opens collections: a client, with or without a connection. */

import type { Collection, CollectionOptions } from "./collection.js";
import type { Criteria } from "./criteria.js";

export interface Opener {
  collection<T extends object>(model: string, options?: Criteria & CollectionOptions<T>): Collection<T>;
}
