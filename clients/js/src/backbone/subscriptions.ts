/** What instances listen to, by the settings that they have. */

import type { Collection } from "../collection.js";
import type { Criteria } from "../criteria.js";
import { populated } from "../populate/index.js";
import { idsIn, whereVia } from "../references.js";
import { comparison } from "../sort.js";
import { instanceAt, leadsOf, led, referencesOf, stored, type Classes, type Led } from "./associations.js";
import { isCollection, prototypeOf, type CollectionInstance, type Instance, type Members, type ModelInstance } from "./backbone.js";
import { Hearing, type Rec } from "./hearing.js";
import { Links } from "./links.js";
import { DEFAULTS, flagsOf, howIn, settingsIn, wantedIn, type Populate, type Settings, type Wanted } from "./settings.js";
import { serverOf, type Backing } from "./socket.js";
import { stateOf } from "./state.js";
import { modelNameOf } from "./target.js";
import { listenerOf } from "./telling.js";

/** What a request says of what is to be heard, where it says something. */
interface Request {
  readonly wanted?: Wanted;
  readonly populate?: Populate | false | undefined;
}

export class Subscriptions {
  readonly links: Links;
  #settings: Settings;

  constructor(
    private readonly backing: Backing,
    private readonly classes: Classes,
    settings: Settings,
  ) {
    this.#settings = { ...DEFAULTS, ...settings };
    this.links = new Links(backing, classes, (instance) => this.#mayListen(instance));
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

  /** Hear of the records of an instance, as its settings say or as a request wants: what is live of what it is populated with too. */
  listen(instance: Instance, { wanted, populate }: Request = {}): Hearing {
    const state = stateOf(instance);
    if (state.isDeaf) this.hearLinks(instance);
    const own = this.settingsOf(instance);
    const { where, ids, sort } = wanted ?? wantedIn(own, undefined);
    const criteria: Criteria = isCollection(instance)
      ? { ...(where && { where }), ...(ids && { ids }) }
      : { ids: [(instance as ModelInstance).id!] };
    const references = referencesOf(prototypeOf(instance), populate ?? own.populate);
    const isPopulated = own.live && references.names.length + references.criteria.length > 0;
    const leads = isPopulated ? leadsOf(prototypeOf(instance), references, this.classes) : undefined;
    const name = modelNameOf(instance);
    const key = JSON.stringify([name, criteria, sort, leads && references]);
    const known = state.heard;
    const heard = { key, populate: populate ?? own.populate };
    if (known?.key === key && !isOver(known.hearing)) {
      state.heard = { ...known, ...heard };
      return known.hearing;
    }
    const query = { ...criteria, ...(sort && { sort }), ...(leads && { populate: leads }) };
    const collection = populated(this.backing).collection<Members>(name, query);
    // It begins before the other ends: what both hear goes on.
    known?.hearing.end();
    const settings = (): Settings => this.settingsOf(instance);
    const hearing = new Hearing(collection, listenerOf(instance, settings, collection));
    state.heard = { hearing, ...heard };
    // A read that fails says so itself.
    collection.on("state", (now, error) => now === "failed" && state.reading === 0 && instance.trigger("error", instance, error, {}));
    if (isCollection(instance) && sort && settings().live) orderBy(instance, sort);
    return hearing;
  }

  /** What an instance was last populated with, or its collection. */
  populateOf(instance: Instance): Populate | false | undefined {
    const { collection } = instance as ModelInstance;
    return stateOf(instance).heard?.populate || (collection && stateOf(collection).heard?.populate);
  }

  /** Hear of an instance that did not read its records: of what is otherwise than it has it, where it has all or wants all. */
  subscribe(instance: Instance, wanted?: Wanted): void {
    const before = stateOf(instance).heard?.hearing;
    const hearing = this.listen(instance, wanted && { wanted });
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

  /** Nor of links, until somebody asks for them anew. */
  silence(instance: Instance): void {
    this.forget(instance);
    const state = stateOf(instance);
    state.isDeaf = true;
    state.followed.clear();
    this.links.look(instance);
  }

  /** Hear again of links that others keep; where this one is given, of those in any case. */
  hearLinks(instance: Instance, attribute?: string): void {
    const state = stateOf(instance);
    state.isDeaf = false;
    if (attribute !== undefined) state.followed.add(attribute);
    this.links.look(instance);
  }

  /** The model or collection at an attribute, which is listened to where the settings are so. */
  at(model: ModelInstance, attribute: string): Instance | undefined {
    const to = led(model, attribute, this.classes);
    if (!to) throw new TypeError(`assoc says nothing of ${attribute}`);
    const instance = instanceAt(model, attribute, to);
    if (to.via !== undefined) this.hearLinks(model, attribute);
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

  #mayListen(instance: Instance): boolean {
    const flags = flagsOf(this.settingsOf(instance));
    return flags.has("socket") && (this.isConnected() || flags.has("subscribe"));
  }

  #follow(owner: ModelInstance, attribute: string, { via }: Led, instance: Instance): void {
    if (!this.#mayListen(instance)) return;
    if (isCollection(instance))
      this.subscribe(instance, via === undefined ? { ids: idsIn(owner.get(attribute)) } : { where: whereVia(via, String(owner.id)) });
    else if (!(instance as ModelInstance).isNew()) this.subscribe(instance);
  }
}

function isOver({ collection }: Hearing): boolean {
  return collection.state === "failed" || collection.state === "closed";
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
