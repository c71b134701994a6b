/** What instances listen to, by the settings that they have. */

import type { Collection } from "../collection.js";
import type { Criteria } from "../criteria.js";
import { comparison } from "../sort.js";
import { instanceAt, led, stored, type Classes, type Led } from "./associations.js";
import { isCollection, type CollectionInstance, type Instance, type Members, type ModelInstance } from "./backbone.js";
import { Hearing, type Rec } from "./hearing.js";
import { idsIn, whereVia } from "../references.js";
import { DEFAULTS, flagsOf, howIn, settingsIn, wantedIn, type Settings, type Wanted } from "./settings.js";
import { serverOf, type Backing } from "./socket.js";
import { stateOf } from "./state.js";
import { modelNameOf } from "./target.js";
import { listenerOf } from "./telling.js";

export class Subscriptions {
  #settings: Settings;

  constructor(
    private readonly backing: Backing,
    private readonly classes: Classes,
    settings: Settings,
  ) {
    this.#settings = { ...DEFAULTS, ...settings };
  }

  /** Settings of everything. */
  configure(settings: Settings): void {
    this.#settings = { ...this.#settings, ...settingsIn(settings) };
  }

  /** Whether a request by the socket would go at once. */
  isConnected(): boolean {
    const server = serverOf(this.backing);
    return server === undefined || server.state === "open";
  }

  /** A model's begin with those of its collection that say how, not what. */
  settingsOf(instance: Instance, request?: object): Settings {
    const { collection } = instance as ModelInstance;
    const outer = collection && !isCollection(instance) ? howIn(this.settingsOf(collection)) : {};
    return { ...this.#settings, ...outer, ...settingsIn(instance.config), ...stateOf(instance).settings, ...settingsIn(request) };
  }

  /** Hear of the records of an instance, as its settings say or as a request wants. */
  listen(instance: Instance, wanted: Wanted = wantedIn(this.settingsOf(instance), undefined)): Hearing {
    const state = stateOf(instance);
    const { where, ids, sort } = wanted;
    const criteria: Criteria = isCollection(instance)
      ? { ...(where && { where }), ...(ids && { ids }) }
      : { ids: [(instance as ModelInstance).id!] };
    const key = JSON.stringify([modelNameOf(instance), criteria, sort]);
    const known = state.heard;
    const isOver = known && ["failed", "closed"].includes(known.hearing.collection.state);
    if (known?.key === key && !isOver) return known.hearing;
    const collection: Collection<Members> = this.backing.collection<Members>(modelNameOf(instance), { ...criteria, ...(sort && { sort }) });
    // It begins before the other ends: what both hear goes on.
    known?.hearing.end();
    const settings = (): Settings => this.settingsOf(instance);
    const hearing = new Hearing(collection, listenerOf(instance, settings, collection));
    state.heard = { hearing, key };
    // A read that fails says so itself.
    collection.on("state", (now, error) => now === "failed" && state.reading === 0 && instance.trigger("error", instance, error, {}));
    if (isCollection(instance) && sort && settings().live) orderBy(instance, sort);
    return hearing;
  }

  /** Hear of an instance that did not read its records: of what is otherwise than it has it, where it has all or wants all. */
  subscribe(instance: Instance, wanted?: Wanted): void {
    const before = stateOf(instance).heard?.hearing;
    const hearing = this.listen(instance, wanted);
    if (hearing === before) return;
    const models = isCollection(instance) ? instance.models : [instance as ModelInstance];
    const known = models.filter((model) => "_rev" in model.attributes).map(recordOf);
    if (this.settingsOf(instance).live || (known.length > 0 && known.length === models.length)) hearing.knows(known);
  }

  /** Hear of it no more. */
  forget(instance: Instance): void {
    const state = stateOf(instance);
    state.heard?.hearing.end();
    state.heard = undefined;
  }

  /** The model or collection at an attribute, which is listened to where the settings are so. */
  at(model: ModelInstance, attribute: string): Instance | undefined {
    const to = led(model, attribute, this.classes);
    if (!to) throw new TypeError(`assoc says nothing of ${attribute}`);
    const instance = instanceAt(model, attribute, to);
    if (instance) this.#follow(model, attribute, to, instance);
    return instance;
  }

  led(model: ModelInstance, attribute: string): Led | undefined {
    return led(model, attribute, this.classes);
  }

  /** The records that an instance, or its collection, listens to. */
  collectionOf(instance: Instance): Collection<Members> | undefined {
    const { collection } = instance as ModelInstance;
    return ((collection && stateOf(collection).heard) ?? stateOf(instance).heard)?.hearing.collection;
  }

  #follow(owner: ModelInstance, attribute: string, { via }: Led, instance: Instance): void {
    const flags = flagsOf(this.settingsOf(instance));
    if (!flags.has("socket") || (!this.isConnected() && !flags.has("subscribe"))) return;
    if (isCollection(instance))
      this.subscribe(instance, via === undefined ? { ids: idsIn(owner.get(attribute)) } : { where: whereVia(via, String(owner.id)) });
    else if (!(instance as ModelInstance).isNew()) this.subscribe(instance);
  }
}

/** A model's attributes as the record that they came as. */
export function recordOf(model: ModelInstance): Rec {
  return { ...stored(model, model.attributes), id: String(model.id) } as Rec;
}

/** Keep a collection in the order that was asked for, unless it has one of its own. */
function orderBy(collection: CollectionInstance, sort: string | readonly string[]): void {
  const ordered = collection as CollectionInstance & { comparator?: unknown };
  const compare = comparison<Members>(sort);
  ordered.comparator ??= (a: ModelInstance, b: ModelInstance) => compare(a.attributes, b.attributes);
}
