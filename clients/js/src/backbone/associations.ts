/** What attributes lead to: classes by their names, and instances at attributes. */

import { matches } from "../filter.js";
import type { Lead, Leads } from "../populate/index.js";
import { bare, idIn, idsIn } from "../references.js";
import { comparison } from "../sort.js";
import {
  isCollection,
  type CollectionClass,
  type CollectionInstance,
  type Members,
  type ModelClass,
  type ModelInstance,
} from "./backbone.js";
import { populateOf, type Populate, type PopulateCriteria, type References } from "./settings.js";
import { stateOf } from "./state.js";
import { modelNameOf } from "./target.js";

/**
 * What an attribute leads to: a class of models or the name of one for a single record; a class of collections, or a name or a
 * class in an array, for many. A function may give it, where classes lead to each other. With `via` the
 * others keep the link, at this attribute of theirs, and the attribute itself is none of the record's.
 *
 * ```js
 * const User = backsync.Model.extend({
 *   modelName: "User",
 *   assoc: { spouse: "User", friends: ["User"], pets: { to: ["Pet"], via: "owner" } },
 * });
 * ```
 */
export type Association = Target | { readonly to: Target; readonly via: string };
type Target = string | object | readonly [string | object] | (() => Target);

/** An association as it is used. */
export interface Led {
  readonly name: string;
  readonly isMany: boolean;
  readonly via: string | undefined;
  /** What those have that it leads to. */
  readonly prototype: ModelInstance | undefined;
  /** With ids, attributes or models. */
  make(values: readonly unknown[]): ModelInstance | CollectionInstance;
  one(values: Members): ModelInstance;
}

/** How classes are found. */
export interface Classes {
  /** The class that goes by this name; one is made where none does. */
  model(name: string): ModelClass;
  /** A class of collections of these. */
  collection(model: ModelClass): CollectionClass;
}

/** The attributes of a model that lead somewhere, and where. */
export function associationsOf(model: ModelInstance): { readonly [name: string]: Association } {
  return (model.assoc ?? {}) as { readonly [name: string]: Association };
}

/** What one of them is; `undefined` where nothing is declared. */
export function led(model: ModelInstance, attribute: string, classes: Classes): Led | undefined {
  const association = associationsOf(model)[attribute];
  if (association === undefined) return undefined;
  return isKeptByOthers(association) ? resolve(association.to, association.via, classes) : resolve(association, undefined, classes);
}

/** The attributes whose links others keep. */
export function keptByOthers(model: ModelInstance): string[] {
  return Object.entries(associationsOf(model)).flatMap(([name, association]) => (isKeptByOthers(association) ? [name] : []));
}

/** What is to be filled in; the server fills in no links that others keep, so those are looked for. */
export function referencesOf(model: ModelInstance | undefined, populate: Populate | false | undefined): References {
  const { names, criteria } = populateOf(populate);
  const others = model ? keptByOthers(model) : [];
  const isOthers = (path: string): boolean => others.includes(path.split(".")[0]!);
  const sought = [...byFirst(names.filter(isOthers))].map(([name, populate]) => [name, { populate }] as const);
  return { names: names.filter((path) => !isOthers(path)), criteria: [...criteria, ...sought] };
}

/** The same, as what is listened to is told it; `undefined` where the classes do not say where all of it leads. */
export function leadsOf(model: ModelInstance | undefined, { names, criteria }: References, classes: Classes): Leads | undefined {
  const leads: { [name: string]: Lead } = {};
  for (const [name, sought] of [...[...byFirst(names)].map(([name, populate]) => [name, { populate }] as const), ...criteria]) {
    const { populate, ...wanted } = sought as PopulateCriteria;
    const to = model && led(model, name, classes);
    const within = to && leadsOf(to.prototype, referencesOf(to.prototype, populate), classes);
    if (!within) return undefined;
    const isChosen = Object.keys(wanted).length > 0 || (to.via !== undefined && !to.isMany);
    leads[name] = {
      model: to.name,
      ...(to.via !== undefined && { via: to.via }),
      ...(Object.keys(within).length > 0 && { populate: within }),
      ...(isChosen && { choose: chooser(to, wanted) }),
    };
  }
  return leads;
}

/** Paths by their first names: what there is behind each. */
function byFirst(paths: readonly string[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const path of paths) {
    const [name, ...rest] = path.split(".") as [string, ...string[]];
    found.set(name, [...(found.get(name) ?? []), ...(rest.length > 0 ? [rest.join(".")] : [])]);
  }
  return found;
}

/** What an attribute has of those that were found; `undefined`: what it had. */
export function chooser({ isMany, via }: Led, { where, sort, skip = 0, limit = Infinity }: PopulateCriteria): NonNullable<Lead["choose"]> {
  return (records) => {
    const found = records.filter((record) => !where || matches(where, record as Members));
    if (sort) found.sort(comparison(sort));
    const chosen = found.slice(skip, skip + limit);
    return isMany ? chosen : (chosen[0] ?? (via === undefined ? undefined : null));
  };
}

/** The record of these attributes: ids where it leads to others, and nothing of the links that those keep. */
export function stored(model: ModelInstance, attributes: Members): Members {
  const associations = Object.entries(associationsOf(model));
  if (associations.length === 0) return attributes;
  const kept = new Set(keptByOthers(model));
  const own = Object.fromEntries(Object.entries(attributes).filter(([name]) => !kept.has(name)));
  return bare(own, Object.keys(associationsOf(model)));
}

function isKeptByOthers(association: Association): association is { readonly to: Target; readonly via: string } {
  return typeof association === "object" && "via" in association;
}

function resolve(association: Target, via: string | undefined, classes: Classes): Led {
  if (typeof association === "string") return toOne(classes.model(association), via);
  if (Array.isArray(association)) {
    const [of] = association as readonly (string | object)[];
    const model = typeof of === "string" ? classes.model(of) : (of as ModelClass);
    return toMany(classes.collection(model), model, via);
  }
  if (isClass(association)) {
    const { model } = association.prototype as { model?: ModelClass };
    return isCollectionClass(association) ? toMany(association, model!, via) : toOne(association as ModelClass, via);
  }
  if (typeof association === "function") return resolve((association as () => Target)(), via, classes);
  throw new TypeError("assoc has names, classes, functions that give them, or { to, via }");
}

function isClass(value: unknown): value is ModelClass | CollectionClass {
  return typeof value === "function" && typeof (value as { extend?: unknown }).extend === "function";
}

function isCollectionClass(value: ModelClass | CollectionClass): value is CollectionClass {
  return typeof (value.prototype as { add?: unknown }).add === "function";
}

function create<T>(of: unknown, ...values: unknown[]): T {
  return new (of as new (...values: unknown[]) => T)(...values);
}

function toOne(of: ModelClass, via: string | undefined): Led {
  const one = (values: Members): ModelInstance => create(of, values, { parse: true });
  const prototype = of.prototype as ModelInstance;
  return { name: modelNameOf(prototype), isMany: false, via, prototype, one, make: ([value]) => one(valuesOf(value)) };
}

function toMany(of: CollectionClass, model: ModelClass, via: string | undefined): Led {
  const one = (values: Members): ModelInstance => create(model, values, { parse: true });
  const make = (values: readonly unknown[]): CollectionInstance => create(of, values.map(valuesOf), { parse: true });
  const prototype = model?.prototype as ModelInstance | undefined;
  return { name: modelNameOf(of.prototype as CollectionInstance), isMany: true, via, prototype, one, make };
}

function valuesOf(value: unknown): Members {
  if (typeof value !== "object" || value === null) return { id: value };
  return "attributes" in value ? (value as ModelInstance).attributes : (value as Members);
}

/** The model or collection at an attribute: the same for as long as the attribute leads to the same, with what was filled in set on it. */
export function instanceAt(
  model: ModelInstance,
  attribute: string,
  { isMany, via, make }: Led,
): ModelInstance | CollectionInstance | undefined {
  const value = model.get(attribute) ?? undefined;
  if (value === undefined && (via === undefined || !isMany)) return undefined;
  if (typeof value === "object" && "trigger" in value) return value as ModelInstance;
  const values = value === undefined ? [] : [value].flat();
  const { wrapped } = stateOf(model);
  const known = wrapped.get(attribute);
  if (known?.value === value && known) return known.instance as ModelInstance;
  let instance = known?.instance as ModelInstance | CollectionInstance | undefined;
  if (instance && isCollection(instance)) follow(instance, values);
  else if (instance && idIn(instance) === idIn(values[0])) {
    if (typeof values[0] === "object") instance.set(values[0] as Members, { remote: true });
  } else instance = make(isMany ? values : values.slice(0, 1));
  wrapped.set(attribute, { instance, value });
  return instance;
}

/** Have a collection be just these. */
function follow(collection: CollectionInstance, values: readonly unknown[]): void {
  const ids = new Set(idsIn(values));
  for (const gone of collection.models.filter((model) => !ids.has(idIn(model) ?? ""))) collection.remove(gone, { remote: true });
  for (const value of values) {
    const id = idIn(value);
    const known = id === undefined ? undefined : collection.get(id);
    if (!known) collection.add(valuesOf(value), { remote: true });
    else if (typeof value === "object") known.set(valuesOf(value), { remote: true });
  }
}
