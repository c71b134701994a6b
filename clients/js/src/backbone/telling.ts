/** What instances are told of changes: by events, and where it is wanted by being made the same. */

import type { Collection } from "../collection.js";
import { equal } from "../equal.js";
import { idsIn } from "../references.js";
import { add, put, withId } from "./apply.js";
import { associationsOf, stored } from "./associations.js";
import { handlersOf, isCollection, prototypeOf, type CollectionInstance, type Instance, type Members, type ModelInstance } from "./backbone.js";
import type { Listener, Rec } from "./hearing.js";
import { flagsOf, type Settings } from "./settings.js";
import { stateOf } from "./state.js";

/** Event names of `syncBind`. */
export const BOUND = { upsert: "backsync:upsert", delete: "backsync:delete" } as const;

/** Whether anybody is bound. */
export function isBound(instance: Instance): boolean {
  const handlers = handlersOf(instance);
  return Object.values(BOUND).some((event) => (handlers[event]?.length ?? 0) > 0);
}

/** Who tells an instance. `collection`: what it listens to. */
export function listenerOf(instance: Instance, settings: () => Settings, collection: Collection<Members>): Listener {
  const applies = (isMissed: boolean): boolean => {
    const now = settings();
    return now.live === true || (isMissed && flagsOf(now).has("set"));
  };
  if (!isCollection(instance)) {
    const model = instance as ModelInstance;
    return {
      upserted: (record, before, isMissed) => tellModel(model, record, before, applies(isMissed)),
      deleted: (record, left, isMissed) => tellGone(model, record, left, applies(isMissed)),
    };
  }
  const prototype = prototypeOf(instance);
  /** As the server says it. */
  const said = (record: Rec): Rec => (prototype ? (stored(prototype, record) as Rec) : record);
  return {
    upserted: (record, before, isMissed) => {
      // What it leads to may be otherwise, and that is all.
      if (!before || !equal(said(before), said(record))) instance.trigger(BOUND.upsert, said(record));
      const model = instance.get(record.id);
      if (model) return tellModel(model, record, before, applies(isMissed));
      const made = stateOf(instance).making.get(record.id);
      if (made) tellModel(made, record, before, applies(isMissed));
      if (applies(isMissed)) add(instance, made ?? record, settings().sort ? collection.records.indexOf(record) : undefined);
      instance.trigger("created", said(record), instance);
    },
    deleted: (record, left, isMissed) => {
      instance.trigger(BOUND.delete, record);
      const model = instance.get(record.id);
      if (model && !left) tellGone(model, record, left, false);
      if (model && applies(isMissed)) remove(instance, model);
    },
  };
}

function tellModel(model: ModelInstance, record: Rec, before: Rec | undefined, applies: boolean): void {
  const state = stateOf(model);
  const { latest } = state;
  const beganAnew = (before?._rev ?? 0) > (record._rev ?? 0);
  // A model may be told by its collection too.
  if (latest && (equal(latest, record) || (!beganAnew && (latest._rev ?? 0) > (record._rev ?? 0)))) return;
  state.latest = record;
  const associations = Object.keys(associationsOf(model));
  // Those that it leads to tell of themselves.
  const [present, said, was] = [model.attributes, record, before ?? {}].map((members) => stored(model, members)) as [Members, Rec, Members];
  const values = withId(said, model.idAttribute);
  const isNews = (name: string): boolean =>
    !name.startsWith("_") && !equal(was[name], values[name]) && !equal(present[name], values[name]);
  const changed = Object.keys({ ...was, ...values }).filter((name) => name !== "id" && isNews(name));
  if (applies) put(model, record, before ?? latest);
  for (const name of changed) {
    model.trigger(`updated:${name}`, model, values[name], said);
    if (associations.includes(name)) tellLinks(model, name, idsIn(was[name] ?? present[name]), said);
  }
  if (changed.length > 0) model.trigger("updated", model, said);
}

function tellLinks(model: ModelInstance, name: string, before: readonly string[], record: Rec): void {
  const now = idsIn(record[name]);
  tellLink(model, "addedTo", name, now.filter((id) => !before.includes(id)), record);
  tellLink(model, "removedFrom", name, before.filter((id) => !now.includes(id)), record);
}

/** `record`: who keeps the links, as it is then. */
export function tellLink(model: ModelInstance, event: "addedTo" | "removedFrom", name: string, ids: readonly string[], record: Rec): void {
  for (const id of ids) model.trigger(`${event}:${name}`, model, id, record);
  if (ids.length > 0) model.trigger(event, model, record);
}

function tellGone(model: ModelInstance, record: Rec, left: boolean, applies: boolean): void {
  if (left) return;
  stateOf(model).latest = undefined;
  model.trigger("destroyed", model, record);
  // As Backbone says it: whatever collection has the model lets it go.
  if (applies) model.trigger("destroy", model, model.collection, { remote: true });
}

function remove(collection: CollectionInstance, model: ModelInstance): void {
  collection.remove(model, { remote: true });
}
