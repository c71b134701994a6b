/** Collections whose references have the records themselves in the places of the ids, and stay right. */

import { Collection, type CollectionOptions } from "../collection.js";
import type { Criteria } from "../criteria.js";
import type { Opener } from "../opener.js";
import type { Leads } from "./attribute.js";
import { Filled } from "./filled.js";

export type { Lead, Leads } from "./attribute.js";

/** What a populated collection has. */
export interface PopulatedOptions<T> extends Criteria, CollectionOptions<T> {
  /** References, and the models that they lead to: `{ author: "User" }`. */
  readonly populate?: Leads;
}

/** Opens populated collections. */
export interface Populating extends Opener {
  collection<T extends object = Record<string, unknown>>(model: string, options?: PopulatedOptions<T>): Collection<T>;
}

const known = new WeakMap<Opener, Populating>();

/** An opener, a client mostly, that knows `populate` too: the same each time. */
export function populated(opener: Opener): Populating {
  let populating = known.get(opener);
  if (!populating) known.set(opener, (populating = populatingOf(opener)));
  return populating;
}

function populatingOf(opener: Opener): Populating {
  const populating: Populating = {
    collection<T extends object>(model: string, { populate, ...options }: PopulatedOptions<T> = {}) {
      if (!populate) return opener.collection<T>(model, options);
      return new Collection(new Filled<T>(model, options, populate, populating), options);
    },
  };
  return populating;
}
