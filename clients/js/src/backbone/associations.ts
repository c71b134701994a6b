/** What attributes lead to: classes by their names, and instances at attributes. */

import {
  isCollection,
  type CollectionClass,
  type CollectionInstance,
  type Members,
  type ModelClass,
  type ModelInstance,
} from "./backbone.js";
import { bare, idIn, idsIn } from "./references.js";
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

/** The record of these attributes: ids where it leads to others, and nothing of the links that those keep. */
export function stored(model: ModelInstance, attributes: Members): Members {
  const associations = Object.entries(associationsOf(model));
  if (associations.length === 0) return attributes;
  const kept = new Set(associations.flatMap(([name, association]) => (isKeptByOthers(association) ? [name] : [])));
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
  return { name: modelNameOf(of.prototype as ModelInstance), isMany: false, via, one, make: ([value]) => one(valuesOf(value)) };
}

function toMany(of: CollectionClass, model: ModelClass, via: string | undefined): Led {
  const one = (values: Members): ModelInstance => create(model, values, { parse: true });
  const make = (values: readonly unknown[]): CollectionInstance => create(of, values.map(valuesOf), { parse: true });
  return { name: modelNameOf(of.prototype as CollectionInstance), isMany: true, via, one, make };
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
  if (value === undefined && via === undefined) return undefined;
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
