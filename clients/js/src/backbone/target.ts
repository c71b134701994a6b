/** Of which model of the server an instance is, and at which URL that is. */

import { isCollection, result, type Instance, type ModelInstance } from "./backbone.js";

/**
 * `modelName`, of the instance, of a model's collection or of a collection's models; otherwise `urlRoot` or `url`, of which the last
 * part is the name: both `ChatMessage` and `/api/ChatMessage` are.
 *
 * @throws TypeError where nothing says it
 */
export function modelNameOf(instance: Instance): string {
  const name = named(instance) ?? named(relative(instance)) ?? nameIn(instance);
  if (name === undefined) throw new TypeError("nothing says of which model this is: give it a modelName, a urlRoot or a url");
  return name;
}

/** The URL for `Backbone.sync`, asked before a new model has its id: below `api`, unless a class says more than a name. */
export function urlOf(instance: Instance, api: string, id?: string): string {
  const own = (named(instance) ?? named(relative(instance))) ? undefined : written(instance);
  if (own?.replace(/^\//, "").includes("/")) return String(result(instance, "url"));
  return recordUrl(api, modelNameOf(instance), id);
}

export function recordUrl(api: string, name: string, ...rest: (string | undefined)[]): string {
  return [api, ...[name, ...rest].filter((part) => part !== undefined).map((part) => encodeURIComponent(part!))].join("/");
}

/** A model's collection, or what a collection makes models with. */
function relative(instance: Instance): object | undefined {
  return isCollection(instance) ? (instance.model?.prototype as object | undefined) : (instance as ModelInstance).collection;
}

function named(owner: object | undefined): string | undefined {
  const name = owner && result(owner, "modelName");
  return typeof name === "string" ? name : undefined;
}

/** What a class says in the place of a name: `url` of a model itself, which has its id in it, is no such thing. */
function written(instance: Instance): string | undefined {
  const collection = isCollection(instance) ? instance : (instance as ModelInstance).collection;
  const urlRoot = isCollection(instance) ? undefined : result(instance, "urlRoot");
  const url = urlRoot ?? (collection && result(collection, "url"));
  return typeof url === "string" ? url : undefined;
}

function nameIn(instance: Instance): string | undefined {
  return written(instance)?.split(/[?#]/)[0]?.split("/").filter(Boolean).at(-1);
}
