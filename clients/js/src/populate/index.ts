/**
 * Collections whose references have the records themselves in the places of the ids, and stay right: by {@link populated}.
 *
 * @module backsync/populate
 */

import { Collection, type CollectionOptions } from "../collection.js";
import type { Criteria } from "../criteria.js";
import type { Opener } from "../opener.js";
import type { Leads } from "./attribute.js";
import { Filled } from "./filled.js";

export type { Lead, Leads } from "./attribute.js";

/** Which records a populated collection has, how it shows them, and what is filled in. */
export interface PopulatedOptions<T> extends Criteria, CollectionOptions<T> {
  /** References, and the models that they lead to: `{ author: "User" }`. */
  readonly populate?: Leads;
}

/** Opens populated collections, by {@link populated}. */
export interface Populating extends Opener {
  /**
   * The records of a model that match, with those that they lead to in the places of the ids.
   *
   * @throws TypeError where `populate` is not an object of attributes
   */
  collection<T extends object = Record<string, unknown>>(model: string, options?: PopulatedOptions<T>): Collection<T>;
}

const known = new WeakMap<Opener, Populating>();

/**
 * What opens collections, a client mostly, with `populate` among its options: the same each time.
 *
 * ```js
 * const tasks = populated(client).collection("Task", {
 *   populate: { owner: "User", notes: { model: "Note", via: "task" }, project: { model: "Project", populate: { lead: "User" } } },
 * });
 * tasks.on("upsert", (task) => console.log(task.owner.name, task.notes.length));
 * ```
 *
 * A record is shown when all is there that it leads to, and until then as it was; without a connection it is shown with what there is. What
 * leads to nobody has its bare id. What is written through the collection has the ids again, and nothing of what is there by `via`. If
 * the server does not let us listen to one of those that are led to, the collection is `failed`.
 */
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
