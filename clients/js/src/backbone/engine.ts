/**
 * What `sync` does: which way a request goes, what is listened to behind it, and what instances are told. Nothing in here changes a
 * class of Backbone's.
 */

import { comparison } from "../sort.js";
import type { Collection } from "../collection.js";
import type { Criteria } from "../criteria.js";
import { AjaxWay } from "./ajax.js";
import { withId } from "./apply.js";
import { associationsOf, instanceAt, led, type Classes, type Led } from "./associations.js";
import { DELEGATE, idAttributeOf, isCollection, type CallOptions, type CollectionInstance, type Instance, type Members, type ModelInstance, type SyncFunction, type SyncMethod } from "./backbone.js";
import { Hearing, type Rec } from "./hearing.js";
import { newIdOf } from "./identity.js";
import { handedOut, run, SyncTimeout } from "./promises.js";
import { bare, idIn, idsIn } from "./references.js";
import { DEFAULTS, flagsOf, howIn, populateOf, settingsIn, wantedIn, type Flag, type PopulateCriteria, type Settings, type Wanted } from "./settings.js";
import { serverOf, SocketWay, type Backing, type Server } from "./socket.js";
import { stateOf } from "./state.js";
import { modelNameOf, urlOf } from "./target.js";
import { listenerOf } from "./telling.js";
import type { Way } from "./way.js";

/** What an engine is made with. */
export interface EngineOptions {
  /** Settings of everything. */
  settings: Settings;
  /** Where the server's HTTP interface is, without a slash at the end. */
  api: string;
  /** The sync function of classes that had none of their own. */
  delegate: SyncFunction | undefined;
  /** jQuery, where there is one. */
  $: () => unknown;
  classes: Classes;
}

/** One call of `sync`. */
interface Call {
  readonly method: SyncMethod;
  readonly instance: Instance;
  readonly options: CallOptions;
  readonly settings: Settings;
  readonly flags: ReadonlySet<Flag>;
  readonly name: string;
  readonly way: Way;
  readonly isBySocket: boolean;
}

/** What became of it; `behind` is for when the instance has it. */
interface Answer {
  readonly data: unknown;
  readonly behind?: () => void;
}

export class Engine {
  #settings: Settings;

  constructor(
    private readonly backing: Backing,
    private readonly options: EngineOptions,
  ) {
    this.#settings = { ...DEFAULTS, ...options.settings };
  }

  /** Settings of everything. */
  configure(settings: Settings): void {
    this.#settings = { ...this.#settings, ...settingsIn(settings) };
  }

  /** Whether a request by the socket would go at once. */
  isConnected(): boolean {
    const { client } = this.backing as { client?: Server };
    const server = serverOf(this.backing) ?? client;
    return server === undefined || server.state === "open" || client !== undefined;
  }

  /** A model's begin with those of its collection that say how, not what. */
  settingsOf(instance: Instance, request?: object): Settings {
    const { collection } = instance as ModelInstance;
    const outer = collection && !isCollection(instance) ? howIn(this.settingsOf(collection)) : this.#settings;
    return { ...this.#settings, ...outer, ...settingsIn(instance.config), ...stateOf(instance).settings, ...settingsIn(request) };
  }

  /** In the place of `Backbone.sync`. */
  sync(method: SyncMethod, instance: Instance, options: CallOptions = {}): unknown {
    const call = this.#call(method, instance, options);
    const work = this.#carryOut(call).then(
      ({ data, behind }) => {
        // Backbone sets the answer with these very options.
        options["remote"] = true;
        run(() => options.success?.(data as never));
        behind?.();
        return data;
      },
      (error: unknown) => {
        run(() => options.error?.(error as never));
        throw error;
      },
    );
    const promise = handedOut(this.options.$(), work);
    if (call.isBySocket) instance.trigger("request", instance, promise, options);
    return promise;
  }

  /** The same for a request that is none of Backbone's: it is told what its settings say, and by which way it goes. */
  request<T>(instance: ModelInstance, options: CallOptions, work: (way: Way, call: { name: string; flags: ReadonlySet<Flag> }) => Promise<T>): unknown {
    const call = this.#call("update", instance, options);
    return handedOut(this.options.$(), this.#connected(call).then(() => work(call.way, call)));
  }

  /** Hear of the records of an instance, as its settings say or as a request wants. */
  listen(instance: Instance, wanted: Wanted = wantedIn(this.settingsOf(instance), undefined)): Hearing {
    const state = stateOf(instance);
    const { where, ids, sort } = wanted;
    const criteria: Criteria = isCollection(instance) ? { ...(where && { where }), ...(ids && { ids }) } : { ids: [(instance as ModelInstance).id!] };
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
    const to = led(model, attribute, this.options.classes);
    if (!to) throw new TypeError(`assoc says nothing of ${attribute}`);
    const instance = instanceAt(model, attribute, to);
    if (instance) this.#follow(model, attribute, to, instance);
    return instance;
  }

  led(model: ModelInstance, attribute: string): Led | undefined {
    return led(model, attribute, this.options.classes);
  }

  /** Whether what goes by ajax is to be listened to. */
  #subscribes(flags: ReadonlySet<Flag>, isBySocket: boolean): boolean {
    return isBySocket || (flags.has("socket") && flags.has("subscribe"));
  }

  #follow(owner: ModelInstance, attribute: string, { via }: Led, instance: Instance): void {
    const flags = flagsOf(this.settingsOf(instance));
    if (!flags.has("socket") || (!this.isConnected() && !flags.has("subscribe"))) return;
    if (isCollection(instance)) this.subscribe(instance, via === undefined ? { ids: idsIn(owner.get(attribute)) } : { where: whereVia(via, String(owner.id)) });
    else if (!(instance as ModelInstance).isNew()) this.subscribe(instance);
  }

  #call(method: SyncMethod, instance: Instance, options: CallOptions): Call {
    const settings = this.settingsOf(instance, options);
    const flags = flagsOf(settings);
    const isBySocket = flags.has("socket") && (!flags.has("ajax") || this.isConnected());
    const name = modelNameOf(instance);
    const way = isBySocket ? this.#socket(instance, name) : this.#ajax(method, instance, options);
    return { method, instance, options, settings, flags, name, way, isBySocket };
  }

  #socket(instance: Instance, own: string): Way {
    const { collection } = instance as ModelInstance;
    return new SocketWay(this.backing, (name) => {
      if (name !== own) return undefined;
      return ((collection && stateOf(collection).heard) ?? stateOf(instance).heard)?.hearing.collection;
    });
  }

  #ajax(method: SyncMethod, instance: Instance, options: CallOptions): Way {
    const delegate = instance[DELEGATE] ?? this.options.delegate;
    if (!delegate) throw new TypeError("there is no sync function for ajax");
    const { api } = this.options;
    const id = isCollection(instance) || method === "create" ? undefined : String((instance as ModelInstance).id);
    return new AjaxWay(delegate, method, instance, options, options.url ?? urlOf(instance, api, id), api);
  }

  async #carryOut(call: Call): Promise<Answer> {
    const { method, instance } = call;
    if (method === "read") return isCollection(instance) ? this.#readMany(call, instance) : this.#readOne(call, instance as ModelInstance);
    return method === "delete" ? this.#delete(call, instance as ModelInstance) : this.#write(call, instance as ModelInstance);
  }

  async #readMany(call: Call, instance: CollectionInstance): Promise<Answer> {
    const { way, name, settings, options, isBySocket, flags } = call;
    const wanted = wantedIn(settings, options.data);
    const { names, criteria } = populateOf({ ...settings, ...settingsIn(options.data) }.populate);
    const isWindow = wanted.skip !== undefined || wanted.limit !== undefined;
    await this.#connected(call);
    let records: readonly Rec[];
    if (isBySocket && !isWindow) {
      const hearing = this.listen(instance, wanted);
      await this.#present(hearing, way);
      records = names.length > 0 ? await way.many(name, wanted, names) : hearing.collection.records;
    } else records = await way.many(name, wanted, names);
    const known = records.map((record) => bare(record, names) as Rec);
    for (const [attribute, sought] of criteria) records = await Promise.all(records.map((record) => this.#filled(call, instance, record, attribute, sought)));
    const behind = (): void => {
      stateOf(instance).isFetched = true;
      if (this.#subscribes(flags, isBySocket)) this.listen(instance, isWindow ? { ids: known.map(({ id }) => id) } : wanted).knows(known);
    };
    return { data: records.map((record) => withId(record, idAttributeOf(instance))), behind };
  }

  async #readOne(call: Call, model: ModelInstance): Promise<Answer> {
    await this.#connected(call);
    const before = stateOf(model).heard;
    const hearing = call.isBySocket ? this.listen(model) : undefined;
    try {
      if (hearing) await this.#present(hearing, call.way);
      const { data, known } = await this.#look(call, model, hearing?.collection.get(model.id!));
      return { data, behind: () => this.#heard(call, model, known) };
    } catch (error) {
      // As the server does where it finds none.
      if (!before) this.forget(model);
      throw error;
    }
  }

  /** The record of a model with what is to be filled in. `present`: what it is, where that is known. */
  async #look({ way, name, settings, ...call }: Call, model: ModelInstance, present?: Rec): Promise<{ data: Members; known: Rec }> {
    const { names, criteria } = populateOf(settings.populate);
    let record = names.length === 0 && present ? present : await way.one(name, String(model.id), names);
    const known = bare(record, names) as Rec;
    for (const [attribute, sought] of criteria) record = await this.#filled({ way, name, settings, ...call }, model, record, attribute, sought);
    return { data: withId(record, model.idAttribute), known };
  }

  async #write(call: Call, model: ModelInstance): Promise<Answer> {
    const { method, name, way, settings, options } = call;
    // The push comes before the answer and has to find the model; and what is repeated must not be done twice.
    if (model.id === undefined || model.id === null) model.set({ [model.idAttribute]: newIdOf(model) });
    const { [model.idAttribute]: _, ...attributes } = options.attrs ?? (model.toJSON(options) as Members);
    const id = String(model.id);
    const end = stateOf(model).begin(Object.keys(attributes));
    let data: Members | null;
    let known: Rec | null;
    try {
      await Promise.all([...this.#saveNested(call, model, attributes), this.#connected(call)]);
      const record = { ...bare(attributes, Object.keys(associationsOf(model))), id };
      known = await way.write({ method: method as "create", name, record, policy: settings.policy || undefined });
    } catch (error) {
      end();
      this.#takeBack(call, model);
      throw error;
    }
    end();
    if (known && settings.populate) ({ data, known } = await this.#look(call, model));
    else if (known) {
      known = stateOf(model).newest(known);
      data = stateOf(model).settled(withId(known, model.idAttribute));
    } else data = known;
    return { data, behind: () => known && this.#heard(call, model, known) };
  }

  /** Records within the record that are new: they are made first, and known by their ids then. */
  #saveNested({ flags }: Call, model: ModelInstance, attributes: Members): Promise<unknown>[] {
    return Object.keys(associationsOf(model)).flatMap((attribute) => {
      const values = [attributes[attribute] ?? []].flat();
      if (!values.some((value) => typeof value === "object" && idIn(value) === undefined)) return [];
      const instance = this.at(model, attribute)!;
      const models = isCollection(instance) ? instance.models : [instance as ModelInstance];
      const saved = models.filter((one) => one.isNew()).map((one) => Promise.resolve(one.save(null, { sync: [...flags] })));
      // They have ids from now on.
      const ids = models.map((one) => String(one.id));
      (attributes as { [name: string]: unknown })[attribute] = isCollection(instance) ? ids : ids[0];
      return saved;
    });
  }

  async #delete(call: Call, model: ModelInstance): Promise<Answer> {
    await this.#connected(call);
    await call.way.delete(call.name, { ...recordOf(model) }, call.settings.policy || undefined);
    return { data: {}, behind: () => this.forget(model) };
  }

  /** What was written and refused was only here. */
  #takeBack({ settings }: Call, model: ModelInstance): void {
    const { latest } = stateOf(model);
    if (settings.live && latest) model.set(stateOf(model).settled(withId(latest, model.idAttribute)), { remote: true });
  }

  /** An answer came for this model. */
  #heard({ flags, isBySocket }: Call, model: ModelInstance, known: Rec): void {
    if (!this.#subscribes(flags, isBySocket)) return;
    const { collection } = model;
    // Its collection hears of it.
    if (collection && stateOf(collection).heard?.hearing.collection.has(known.id)) return;
    this.listen(model).knows([known]);
  }

  /** With the records at an attribute that match. */
  async #filled({ way }: Call, instance: Instance, record: Rec, attribute: string, { where, ...shape }: PopulateCriteria): Promise<Rec> {
    const model = isCollection(instance) ? (instance.model?.prototype as ModelInstance | undefined) : (instance as ModelInstance);
    const to = model && led(model, attribute, this.options.classes);
    if (!to) throw new TypeError(`assoc says nothing of ${attribute}`);
    const named = to.via === undefined ? { id: { $in: idsIn(record[attribute]) } } : whereVia(to.via, record.id);
    const records = await way.many(to.name, { where: where ? { $and: [named, where] } : named, ...shape }, []);
    return { ...record, [attribute]: to.isMany ? records : (records[0] ?? null) };
  }

  /** Resolves at once where a request could go, or nobody set a time. */
  async #connected({ isBySocket, settings, method, instance, options }: Call): Promise<void> {
    const { timeout } = settings;
    const server = serverOf(this.backing);
    if (!isBySocket || !server || typeof timeout !== "number" || server.state === "open") return;
    await new Promise<void>((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        stop();
      };
      const timer = setTimeout(() => (settle(), reject(new SyncTimeout(timeout, method, instance, options))), timeout);
      const stop = server.on("state", () => server.state === "open" && (settle(), resolve()));
    });
  }

  /** Resolves when the records are there; those of an earlier time are good enough where they are kept for that. */
  async #present({ collection }: Hearing, way: Way): Promise<void> {
    const isLive = collection.state === "live";
    await collection.ready;
    if (!serverOf(this.backing)) return;
    // What somebody was answered before this was asked has been heard behind an answer.
    if (isLive) await way.many(collection.model, { ids: [] }, []);
    while (collection.state === "stale") {
      await new Promise<void>((resolve) => {
        const stop = collection.on("state", () => (stop(), resolve()));
      });
    }
    if (collection.state !== "live") throw collection.error;
  }
}

/** A model's attributes as the record that they came as. */
function recordOf(model: ModelInstance): Rec {
  return { ...bare(model.attributes, Object.keys(associationsOf(model))), id: String(model.id) } as Rec;
}

/** Those who name a record at an attribute, which has one id or many. */
function whereVia(via: string, id: string): Members {
  return { $or: [{ [via]: id }, { [via]: { $contains: id } }] };
}

/** Keep a collection in the order that was asked for, unless it has one of its own. */
function orderBy(collection: CollectionInstance, sort: string | readonly string[]): void {
  const ordered = collection as CollectionInstance & { comparator?: unknown };
  const compare = comparison<Members>(sort);
  ordered.comparator ??= (a: ModelInstance, b: ModelInstance) => compare(a.attributes, b.attributes);
}
