/** Put on models and collections what the server says. Whatever is set here has the option `remote`, so that handlers can tell. */

import { shows } from "../references.js";
import { idAttributeOf, type CollectionInstance, type Members, type ModelInstance } from "./backbone.js";
import type { Rec } from "./hearing.js";
import { stateOf } from "./state.js";

/** With the id at the attribute where the class has it. */
export function withId(record: Members, idAttribute: string): Members {
  return idAttribute === "id" || !("id" in record) ? record : { ...record, [idAttribute]: record["id"] };
}

/** Set the record on its model, but for what is being written to it; `before`: as the server had it. */
export function put(model: ModelInstance, record: Rec, before: Rec | undefined): void {
  const state = stateOf(model);
  const options = { remote: true, parse: true };
  for (const name of Object.keys(before ?? {})) if (!(name in record) && !state.isWriting(name)) model.unset(name, options);
  const values = withId(unshown(model, state.settled(record)), model.idAttribute);
  model.set(model.parse?.(values, options) ?? values, options);
  const { collection } = model;
  if (collection && stateOf(collection).heard) sortAgain(collection);
}

/** Without the ids of those that the model shows itself. */
export function unshown(model: ModelInstance, record: Members): Members {
  return Object.fromEntries(Object.entries(record).filter(([name, value]) => !shows(model.attributes[name], value)));
}

/** A record, or the model that has it already, is new to a collection. `at`: its place, where that is not for the collection to say. */
export function add(collection: CollectionInstance, record: Rec | ModelInstance, at: number | undefined): void {
  const place = at === undefined || comparatorOf(collection) ? {} : { at };
  const added = "attributes" in record ? record : withId(record as Rec, idAttributeOf(collection));
  collection.add(added, { remote: true, parse: true, ...place });
}

/** A change may move a model, which Backbone leaves to who makes it. */
function sortAgain(collection: CollectionInstance): void {
  if (!comparatorOf(collection)) return;
  const before = [...collection.models];
  const sortable = collection as CollectionInstance & { sort(options: object): unknown };
  sortable.sort({ silent: true });
  if (collection.models.some((model, at) => model !== before[at])) collection.trigger("sort", collection, { remote: true });
}

function comparatorOf(collection: CollectionInstance): unknown {
  return (collection as { comparator?: unknown }).comparator;
}
