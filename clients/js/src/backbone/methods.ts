/** What models and collections can do more than Backbone's. Each takes the place of what a class has, and leads on to it. */

import { BacksyncError } from "../errors.js";
import type { Led } from "./associations.js";
import {
  DELEGATE,
  type CallOptions,
  type CollectionInstance,
  type Instance,
  type Members,
  type ModelInstance,
  type SyncFunction,
} from "./backbone.js";
import type { Engine } from "./engine.js";
import { namesLinks } from "./links.js";
import { idIn, idsIn, whereVia } from "../references.js";
import { settingsIn, type Populate, type Settings, type Wanted } from "./settings.js";
import { stateOf } from "./state.js";
import { BOUND, isBound } from "./telling.js";

type Methods = { [name: string]: Method };
type Method = (this: never, ...values: never[]) => unknown;
type Original = { [name: string]: ((...values: unknown[]) => unknown) | undefined };

/** A handler of `syncBind`: it gets the record. */
export type BoundHandler = (record: Members & { readonly id: string }) => void;

/**
 * What models have more: for declarations of types, as `new Task() as Task & SyncedModel`. Requests give promises as those of
 * {@link attach} do.
 */
export interface SyncedModel {
  /** The value of an attribute, as Backbone gives it. */
  get(name: string): unknown;
  /**
   * The model or collection that an attribute leads to: the same for as long as it leads to the same, and listened to where the settings
   * are so. `undefined` where the attribute leads nowhere.
   *
   * @throws TypeError where `assoc` says nothing of the attribute
   */
  get(name: string, wrap: true): unknown;
  /** Read it, as Backbone does. */
  fetch(options?: object): unknown;
  /**
   * Resolves to the model or collection that an attribute leads to, read anew and each time another one; this model stays as it is. `options`:
   * {@link Settings} of the request, as `{ where, sort, limit }` of those to be found.
   *
   * Rejects with `not_found` where an attribute with one leads nowhere.
   *
   * @throws TypeError where `assoc` says nothing of the attribute
   */
  fetch(name: string, options?: object): unknown;
  /** Set an attribute, and have the server know of it alone; a new model is saved as a whole. Gives what `save` does. */
  update(name: string, value: unknown, options?: object): unknown;
  /** The same for several attributes. */
  update(values: Members, options?: object): unknown;
  /**
   * Add a link to an association with many: to `other`, which is an id, attributes or a model; one that is new is saved first. Resolves
   * to the attributes of the other, when this model is as the server has it then.
   *
   * @throws Error where this model is new, or the association is none with many
   */
  addTo(name: string, other: unknown, options?: object): unknown;
  /**
   * Take a link away; the other stays. Resolves as {@link SyncedModel.addTo} does.
   *
   * @throws Error where this model is new, or the association is none with many
   */
  removeFrom(name: string, other: unknown, options?: object): unknown;
  /** What answers for this model are to have filled in from now on. */
  populate(populate: Populate | false): this;
  /** Settings of this model, over those that it has. */
  configure(settings: Settings): this;
  /** One of them. */
  configure<Name extends keyof Settings>(name: Name, value: Settings[Name]): this;
  /** The same as `configure`. */
  query(settings: Settings): this;
  /** One of them. */
  query<Name extends keyof Settings>(name: Name, value: Settings[Name]): this;
  /** Hear of it, whether it was read or not. */
  subscribe(): this;
  /** Hear of it no more. */
  unsubscribe(): this;
}

/** What collections have more: for declarations of types, as `new Tasks() as Backbone.Collection & SyncedCollection`. */
export interface SyncedCollection {
  /**
   * Call `handler` with each record that the server upserts or deletes from now on: until it is unbound, or `context` (by default the
   * collection) stops listening, as a view does that is removed. It is called with `context` as its `this`.
   *
   * ```js
   * tasks.syncBind("upsert", function (record) { this.draw(record); }, view);
   * tasks.syncUnbind("upsert");
   * ```
   *
   * @throws TypeError for another method
   */
  syncBind(method: "upsert" | "delete", handler: BoundHandler, context?: object): this;
  /**
   * End bindings: those with this method, handler and context, or without arguments all. A collection that was not fetched, and has no
   * binding any more, hears no more.
   *
   * @throws TypeError for another method
   */
  syncUnbind(method?: "upsert" | "delete", handler?: BoundHandler, context?: object): this;
  /** What answers for this collection are to have filled in from now on. */
  populate(populate: Populate | false): this;
  /** Settings of this collection, over those that it has. */
  configure(settings: Settings): this;
  /** One of them. */
  configure<Name extends keyof Settings>(name: Name, value: Settings[Name]): this;
  /** The same as `configure`. */
  query(settings: Settings): this;
  /** One of them. */
  query<Name extends keyof Settings>(name: Name, value: Settings[Name]): this;
  /** Hear of its records, whether they were read or not. */
  subscribe(): this;
  /** Hear of them no more. */
  unsubscribe(): this;
}

/** Names and values as Backbone takes them: an object of them, or one name and its value. */
function valuesOf(name: unknown, value: unknown, options: unknown): [Members, CallOptions] {
  if (typeof name === "object" && name !== null) {
    const values = "attributes" in name ? (name as ModelInstance).attributes : name;
    return [values as Members, (value ?? {}) as CallOptions];
  }
  return [name === undefined || name === null ? {} : { [name as string]: value }, (options ?? {}) as CallOptions];
}

/** For both. `sync`: ours, where a class has it in the place of its own. */
function shared(engine: Engine, original: Original, sync: SyncFunction | undefined): Methods {
  const configure = function (this: Instance, name: string | Settings, value?: unknown): Instance {
    const { settings } = stateOf(this);
    stateOf(this).settings = { ...settings, ...settingsIn(typeof name === "string" ? { [name]: value } : name) };
    return this;
  };
  /** Who binds himself to events of links is told of them, for as long as he is bound. */
  const bound = (name: string, isSet: boolean): Method =>
    function (this: Instance, ...values: unknown[]) {
      const done = original[name]!.apply(this, values);
      const [events = null] = values;
      if (isSet && namesLinks(events)) engine.subscriptions.hearLinks(this);
      // A collection that takes a model in, or lets it go, says or does not say any more what that says.
      else if (events === null || events === "all" || namesLinks(events)) engine.subscriptions.links.look(this);
      return done;
    };
  return {
    on: bound("on", true),
    bind: bound("bind", true),
    off: bound("off", false),
    unbind: bound("unbind", false),
    preinitialize(this: Instance, values: unknown, options?: CallOptions & { collection?: unknown }) {
      const state = stateOf(this);
      // What a collection makes has the options of the request that it comes from.
      if (options && !options.collection) state.settings = settingsIn(options);
      if (sync && this.sync !== sync) {
        this[DELEGATE] = this.sync as SyncFunction;
        this.sync = sync;
      }
      original["preinitialize"]?.call(this, values, options);
    },
    configure,
    query: configure,
    populate(this: Instance, populate: Populate | false) {
      return configure.call(this, { populate });
    },
    /** Hear of it, whether it was read or not. */
    subscribe(this: Instance) {
      engine.subscriptions.subscribe(this);
      return this;
    },
    unsubscribe(this: Instance) {
      engine.subscriptions.silence(this);
      return this;
    },
    stopListening(this: Instance, ...values: unknown[]) {
      if (values.length === 0) engine.subscriptions.silence(this);
      return original["stopListening"]?.apply(this, values) ?? this;
    },
  };
}

/** @throws TypeError for a method that is not told of */
function eventOf(method: "upsert" | "delete"): string {
  if (!Object.hasOwn(BOUND, method)) throw new TypeError(`syncBind and syncUnbind know upsert and delete, not ${String(method)}`);
  return BOUND[method];
}

export function collectionMethods(engine: Engine, original: Original, sync?: SyncFunction): Methods {
  return {
    ...shared(engine, original, sync),
    /** Call `handler` with each record that the server upserts or deletes: until it is unbound, or its context stops listening. */
    syncBind(this: CollectionInstance, method: "upsert" | "delete", handler: BoundHandler, context: object = this) {
      const event = eventOf(method);
      const listener = context as Partial<Instance>;
      if (listener.listenTo) listener.listenTo(this, event, handler);
      else this.on(event, handler, context);
      // A collection that is fetched in this turn says itself what it wants to hear.
      queueMicrotask(() => {
        const { heard, reading } = stateOf(this);
        if (!heard && reading === 0 && isBound(this)) engine.subscriptions.listen(this);
      });
      return this;
    },
    /** Without arguments: all, and a collection that was not fetched hears no more. */
    syncUnbind(this: CollectionInstance, method?: "upsert" | "delete", handler?: BoundHandler, context?: object) {
      const isAny = method === undefined || method === null;
      for (const event of isAny ? Object.values(BOUND) : [eventOf(method)]) this.off(event, handler, context);
      if (!isBound(this) && !stateOf(this).isFetched) engine.subscriptions.forget(this);
      return this;
    },
    remove(this: CollectionInstance, models: unknown, options: CallOptions = {}) {
      const { sync: isSynced, ...rest } = options;
      const doomed = isSynced === true ? [models].flat().flatMap((one) => this.get(one) ?? []) : [];
      const removed = original["remove"]!.call(this, models, isSynced === true ? rest : options);
      for (const model of doomed) model.destroy(rest);
      return removed;
    },
  };
}

export function modelMethods(engine: Engine, original: Original, sync?: SyncFunction): Methods {
  const both = shared(engine, original, sync);
  const update = function (this: ModelInstance, name: unknown, value?: unknown, options?: unknown): unknown {
    const [values, rest] = valuesOf(name, value, options);
    return this.isNew() ? this.save(values, rest) : this.save(values, { ...rest, patch: true });
  };
  return {
    ...both,
    preinitialize(this: ModelInstance, values: unknown, options?: CallOptions) {
      (both["preinitialize"] as (this: Instance, ...values: unknown[]) => void).call(this, values, options);
      if (options?.["sync"] !== true) return;
      const state = stateOf(this);
      state.isNew = true;
      queueMicrotask(() => {
        state.isNew = false;
        this.save();
      });
    },
    update,
    set(this: ModelInstance, name: unknown, value?: unknown, options?: unknown) {
      const [values, { sync: isSynced, ...rest }] = valuesOf(name, value, options);
      if (isSynced !== true || rest["remote"] || stateOf(this).isNew) return original["set"]!.call(this, name, value, options);
      const done = original["set"]!.call(this, values, rest);
      const { unset, ...saving } = rest;
      // An attribute that is gone can only be said by saying all others.
      if (done) unset ? this.save(null, saving) : update.call(this, values, saving);
      return done;
    },
    get(this: ModelInstance, name: string, wrap?: unknown) {
      return wrap === true ? engine.subscriptions.at(this, name) : original["get"]!.call(this, name);
    },
    fetch(this: ModelInstance, name?: unknown, options?: CallOptions) {
      return typeof name === "string" ? fetchAt(engine, this, name, options ?? {}) : original["fetch"]!.call(this, name);
    },
    addTo(this: ModelInstance, name: string, other: unknown, options: CallOptions = {}) {
      const to = many(engine, this, name);
      const added =
        typeof other === "object" && other !== null && "attributes" in other
          ? (other as ModelInstance)
          : to.one(typeof other === "object" ? (other as Members) : { id: other });
      const isMade = added.isNew() || (typeof other === "object" && added !== other);
      return link(engine, this, name, to, options, true, async (flags) => {
        if (isMade) await added.save(null, { sync: flags });
        return added;
      });
    },
    removeFrom(this: ModelInstance, name: string, other: unknown, options: CallOptions = {}) {
      const to = many(engine, this, name);
      return link(engine, this, name, to, options, false, async () => to.one({ id: idIn(other) }));
    },
  };
}

function many(engine: Engine, model: ModelInstance, name: string): Led {
  if (model.isNew()) throw new Error("a model that is new has no associations yet: save it first");
  const to = engine.subscriptions.led(model, name);
  if (!to?.isMany) throw new Error(`${name} is no association with many`);
  return to;
}

/** Set or remove a link, and have the model be as the server has it then. Resolves to the attributes of the other. */
function link(
  engine: Engine,
  model: ModelInstance,
  association: string,
  { name: otherName, via }: Led,
  options: CallOptions,
  isSet: boolean,
  prepare: (flags: string[]) => Promise<ModelInstance>,
): unknown {
  return engine.request(model, options, async (way, { name, flags }) => {
    const other = await prepare([...flags]);
    const id = String(other.id);
    await way.link({ owner: { name, id: String(model.id), association }, other: { name: otherName, id }, via }, isSet);
    // It goes on to show what it showed.
    const populate = engine.subscriptions.populateOf(model);
    await model.fetch({ sync: [...flags], ...(populate && { populate }) });
    return other.attributes;
  });
}

/** The model or collection that an attribute leads to, anew; the model itself stays as it is. */
function fetchAt(engine: Engine, model: ModelInstance, attribute: string, options: CallOptions): unknown {
  const to = engine.subscriptions.led(model, attribute);
  if (!to) throw new TypeError(`assoc says nothing of ${attribute}`);
  if (to.via !== undefined) engine.subscriptions.hearLinks(model, attribute);
  return engine.request(model, options, async (way, { name }) => {
    const id = String(model.id);
    const value = to.via === undefined ? (model.get(attribute) ?? (await way.one(name, id, []))[attribute]) : undefined;
    const named = to.via === undefined ? { id: { $in: idsIn(value) } } : whereVia(to.via, id);
    if (!to.isMany) {
      const other = to.via === undefined ? value : (await way.many(to.name, { where: named, limit: 1 }, []))[0];
      if (idIn(other) === undefined) throw new BacksyncError({ code: "not_found", message: `${name} ${id} has no ${attribute}` });
      const found = to.make([{ id: idIn(other) }]);
      await found.fetch(options);
      return found;
    }
    const found = to.make(idsIn(value).map((one) => ({ id: one })));
    const { where, ...wanted } = settingsIn(options);
    const data: Wanted = { where: where ? { $and: [named, where] } : named };
    await found.fetch({ ...options, ...wanted, data });
    return found;
  });
}
