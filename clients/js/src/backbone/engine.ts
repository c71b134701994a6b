/**
 * What `sync` does: which way a request goes, what comes back of it, and what is listened to behind it. Nothing in here changes a
 * class of Backbone's.
 */

import type { Where } from "../messages.js";
import { bare, idIn, idsIn, partOf, whereVia } from "../references.js";
import { AjaxWay } from "./ajax.js";
import { unshown, withId } from "./apply.js";
import { associationsOf, chooser, led, referencesOf, stored, type Classes } from "./associations.js";
import {
  DELEGATE,
  idAttributeOf,
  isCollection,
  prototypeOf,
  type CallOptions,
  type CollectionInstance,
  type Instance,
  type Members,
  type ModelInstance,
  type SyncFunction,
  type SyncMethod,
} from "./backbone.js";
import type { Hearing, Rec } from "./hearing.js";
import { newIdOf } from "./identity.js";
import { handedOut, run, SyncTimeout } from "./promises.js";
import { flagsOf, populateOf, settingsIn, wantedIn, type Flag, type PopulateCriteria, type Settings } from "./settings.js";
import { serverOf, SocketWay, type Backing } from "./socket.js";
import { stateOf } from "./state.js";
import { recordOf, Subscriptions } from "./subscriptions.js";
import { modelNameOf, urlOf } from "./target.js";
import { isBound } from "./telling.js";
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
  /** With what it is to be heard of: what is live stays populated until somebody says otherwise. */
  readonly populate: Settings["populate"];
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
  readonly subscriptions: Subscriptions;

  constructor(
    private readonly backing: Backing,
    private readonly options: EngineOptions,
  ) {
    this.subscriptions = new Subscriptions(backing, options.classes, options.settings);
  }

  /** In the place of `Backbone.sync`. */
  sync(method: SyncMethod, instance: Instance, options: CallOptions = {}): unknown {
    const call = this.#call(method, instance, options);
    const work = (method === "read" ? this.#read(call) : this.#carryOut(call)).then(
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
  request<T>(
    instance: ModelInstance,
    options: CallOptions,
    work: (way: Way, call: { name: string; flags: ReadonlySet<Flag> }) => Promise<T>,
  ): unknown {
    const call = this.#call("update", instance, options);
    return handedOut(
      this.options.$(),
      this.#connected(call).then(() => work(call.way, call)),
    );
  }

  /** Whether what goes by ajax is to be listened to. */
  #subscribes(flags: ReadonlySet<Flag>, isBySocket: boolean): boolean {
    return isBySocket || (flags.has("socket") && flags.has("subscribe"));
  }

  #call(method: SyncMethod, instance: Instance, options: CallOptions): Call {
    const settings = this.subscriptions.settingsOf(instance, options);
    const flags = flagsOf(settings);
    const isBySocket = flags.has("socket") && (!flags.has("ajax") || this.subscriptions.isConnected());
    const name = modelNameOf(instance);
    const way = isBySocket ? this.#socket(instance, name) : this.#ajax(method, instance, options);
    const shown = method !== "read" || settings.live ? this.subscriptions.populateOf(instance) : undefined;
    return { method, instance, options, settings, flags, populate: settings.populate ?? shown, name, way, isBySocket };
  }

  #socket(instance: Instance, own: string): Way {
    return new SocketWay(this.backing, (name) => (name === own ? this.subscriptions.collectionOf(instance) : undefined));
  }

  #ajax(method: SyncMethod, instance: Instance, options: CallOptions): Way {
    const delegate = instance[DELEGATE] ?? this.options.delegate;
    if (!delegate) throw new TypeError("there is no sync function for ajax");
    const { api } = this.options;
    const id = isCollection(instance) || method === "create" ? undefined : String((instance as ModelInstance).id);
    return new AjaxWay(delegate, method, instance, options, options.url ?? urlOf(instance, api, id), api);
  }

  async #read(call: Call): Promise<Answer> {
    const { instance } = call;
    const state = stateOf(instance);
    state.reading++;
    try {
      return await (isCollection(instance) ? this.#readMany(call, instance) : this.#readOne(call, instance as ModelInstance));
    } catch (error) {
      // What is bound hears what it would without a read.
      if (isCollection(instance) && isBound(instance) && !state.heard) this.subscriptions.listen(instance);
      throw error;
    } finally {
      state.reading--;
    }
  }

  async #carryOut(call: Call): Promise<Answer> {
    const { method, instance } = call;
    return method === "delete" ? this.#delete(call, instance as ModelInstance) : this.#write(call, instance as ModelInstance);
  }

  async #readMany(call: Call, instance: CollectionInstance): Promise<Answer> {
    const { way, name, settings, options, isBySocket, flags } = call;
    const wanted = wantedIn(settings, options.data);
    const { populate = call.populate } = settingsIn(options.data);
    const { names, criteria } = referencesOf(prototypeOf(instance), populate);
    const isWindow = wanted.skip !== undefined || wanted.limit !== undefined;
    await this.#connected(call);
    const hearing = isBySocket && !isWindow ? this.subscriptions.listen(instance, { wanted, populate }) : undefined;
    if (hearing) await this.#present(hearing, way);
    const isHeard = hearing && (hearing.isFilled || names.length === 0);
    let records: readonly Rec[] = isHeard ? hearing.collection.records : await way.many(name, wanted, names);
    const known = hearing?.isFilled ? records : records.map((record) => bare(record, names) as Rec);
    for (const [attribute, sought] of hearing?.isFilled ? [] : criteria)
      records = await Promise.all(records.map((record) => this.#filled(call, instance, record, attribute, sought)));
    const behind = (): void => {
      stateOf(instance).isFetched = true;
      if (!this.#subscribes(flags, isBySocket) && !isBound(instance)) return;
      this.subscriptions.listen(instance, { wanted: isWindow ? { ids: known.map(({ id }) => id) } : wanted, populate }).knows(known);
    };
    return { data: records.map((record) => withId(record, idAttributeOf(instance))), behind };
  }

  async #readOne(call: Call, model: ModelInstance): Promise<Answer> {
    await this.#connected(call);
    const before = stateOf(model).heard;
    const hearing = call.isBySocket ? this.subscriptions.listen(model, { populate: call.populate }) : undefined;
    try {
      if (hearing) await this.#present(hearing, call.way);
      const present = hearing?.collection.get(model.id!);
      const { data, known } =
        present && hearing!.isFilled ? { data: withId(present, model.idAttribute), known: present } : await this.#look(call, model, present);
      return { data, behind: () => this.#heard(call, model, known) };
    } catch (error) {
      // As the server does where it finds none.
      if (!before) this.subscriptions.forget(model);
      throw error;
    }
  }

  /** The record of a model with what is to be filled in. `present`: what it is, where that is known. */
  async #look(call: Call, model: ModelInstance, present?: Rec): Promise<{ data: Members; known: Rec }> {
    const { way, name, populate } = call;
    const { names, criteria } = referencesOf(model, populate);
    let record = names.length === 0 && present ? present : await way.one(name, String(model.id), names);
    const known = bare(record, names) as Rec;
    for (const [attribute, sought] of criteria)
      record = await this.#filled(call, model, record, attribute, sought);
    return { data: withId(record, model.idAttribute), known };
  }

  async #write(call: Call, model: ModelInstance): Promise<Answer> {
    const { method, name, way, settings, options } = call;
    // The push comes before the answer and has to find the model; and what is repeated must not be done twice.
    if (model.id === undefined || model.id === null) model.set({ [model.idAttribute]: newIdOf(model) });
    const { [model.idAttribute]: _, ...attributes } = options.attrs ?? (model.toJSON(options) as Members);
    const id = String(model.id);
    const endWriting = stateOf(model).begin(Object.keys(attributes));
    const making = method === "create" && model.collection ? stateOf(model.collection).making : undefined;
    making?.set(id, model);
    const end = (): void => {
      endWriting();
      making?.delete(id);
    };
    let data: Members | null;
    let known: Rec | null;
    try {
      await Promise.all([...this.#saveNested(call, model, attributes), this.#connected(call)]);
      const record = { ...stored(model, attributes), id };
      known = await way.write({ method: method as "create", name, record, policy: settings.policy || undefined });
    } catch (error) {
      end();
      this.#takeBack(call, model);
      throw error;
    }
    end();
    if (known && settings.populate) ({ data, known } = await this.#look({ ...call, populate: settings.populate }, model));
    else if (known) {
      known = stateOf(model).newest(known);
      data = stateOf(model).settled(withId(known, model.idAttribute));
      if (settings.live) data = unshown(model, data);
    } else data = known;
    return { data, behind: () => known && this.#heard(call, model, known) };
  }

  /** Records within the record that are new: they are made first, and known by their ids then. */
  #saveNested({ flags }: Call, model: ModelInstance, attributes: Members): Promise<unknown>[] {
    return Object.keys(associationsOf(model)).flatMap((attribute) => {
      const values = [attributes[attribute] ?? []].flat();
      if (!values.some((value) => typeof value === "object" && idIn(value) === undefined)) return [];
      const instance = this.subscriptions.at(model, attribute)!;
      const models = isCollection(instance) ? instance.models : [instance as ModelInstance];
      const { via } = this.subscriptions.led(model, attribute)!;
      const link = via === undefined ? null : { [via]: String(model.id) };
      const saved = models.filter((one) => one.isNew()).map((one) => Promise.resolve(one.save(link, { sync: [...flags] })));
      // They have ids from now on.
      const ids = models.map((one) => String(one.id));
      (attributes as { [name: string]: unknown })[attribute] = isCollection(instance) ? ids : ids[0];
      return saved;
    });
  }

  async #delete(call: Call, model: ModelInstance): Promise<Answer> {
    await this.#connected(call);
    await call.way.delete(call.name, { ...recordOf(model) }, call.settings.policy || undefined);
    return { data: {}, behind: () => this.subscriptions.silence(model) };
  }

  /** What was written and refused was only here. */
  #takeBack({ settings }: Call, model: ModelInstance): void {
    const { latest } = stateOf(model);
    if (!settings.live || !latest) return;
    const heard = this.subscriptions.collectionOf(model)?.get(latest.id);
    // That may have more in it.
    const record = heard?._rev === latest._rev ? heard! : latest;
    model.set(unshown(model, stateOf(model).settled(withId(record, model.idAttribute))), { remote: true });
  }

  /** An answer came for this model. */
  #heard({ flags, isBySocket, populate }: Call, model: ModelInstance, known: Rec): void {
    if (!this.#subscribes(flags, isBySocket)) return;
    // It may be new.
    this.subscriptions.links.look(model);
    const { collection } = model;
    // Its collection hears of it.
    if (collection && stateOf(collection).heard?.hearing.collection.has(known.id)) return;
    this.subscriptions.listen(model, { populate }).knows([known]);
  }

  /** With the records at an attribute that match. */
  async #filled(
    { way }: Call,
    instance: Instance,
    record: Rec,
    attribute: string,
    { where, populate, ...shape }: PopulateCriteria,
  ): Promise<Rec> {
    const model = prototypeOf(instance);
    const to = model && led(model, attribute, this.options.classes);
    if (!to) throw new TypeError(`assoc says nothing of ${attribute}`);
    const { names } = populateOf(populate);
    const sought = (named: Where): Where => (where ? { $and: [named, where] } : named);
    if (to.via !== undefined) {
      const records = await way.many(to.name, { where: sought(whereVia(to.via, record.id)), ...shape }, names);
      return { ...record, [attribute]: chooser(to, {})(records) };
    }
    const ids = idsIn(record[attribute]);
    const records = ids.length > 0 ? await way.many(to.name, { where: sought({ id: { $in: ids } }) }, names) : [];
    const chosen = chooser(to, shape)(ids.flatMap((id) => records.find((one) => one.id === id) ?? []));
    return { ...record, [attribute]: partOf(record[attribute], chosen) ?? record[attribute] };
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
  async #present(hearing: Hearing, way: Way): Promise<void> {
    const { collection } = hearing;
    const isLive = collection.state === "live";
    await collection.ready;
    if (!serverOf(this.backing)) return;
    // What somebody was answered before this was asked has been heard behind an answer.
    if (isLive) await way.many(collection.model, { ids: [] }, []);
    while (hearing.isBehind) await hearing.next();
    if (collection.state !== "live") throw collection.error;
  }
}
