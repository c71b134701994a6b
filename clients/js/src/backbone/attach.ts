/** Backbone over a client: classes of its own, somebody's classes, or all there are. */

import type { Classes } from "./associations.js";
import {
  DELEGATE,
  type BackboneLike,
  type CallOptions,
  type CollectionClass,
  type Instance,
  type ModelClass,
  type SyncFunction,
  type SyncMethod,
} from "./backbone.js";
import { Engine } from "./engine.js";
import { Registry } from "./identity.js";
import { collectionMethods, modelMethods } from "./methods.js";
import type { Settings } from "./settings.js";
import type { Backing } from "./socket.js";

/** How Backbone is put over a client, beside {@link Settings} for everything. */
export interface AttachOptions extends Settings {
  /**
   * Replace `Backbone.sync`, and give all models and collections what they get here. Default: only the classes of the attachment get it.
   */
  global?: boolean;
  /** Where the server's HTTP interface is, without a slash at its end. Default: `/api` of the page's own origin. */
  api?: string;
  /** Which classes go by which names, for `assoc`. Default: a new one. */
  registry?: Registry;
}

/** Backbone over a client, by {@link attach}. */
export interface Attachment<B extends BackboneLike> {
  /** `Backbone.Model` with all of this: {@link SyncedModel}. With `global` it is `Backbone.Model` itself. */
  readonly Model: B["Model"];
  /** `Backbone.Collection` with all of this: {@link SyncedCollection}. With `global` it is `Backbone.Collection` itself. */
  readonly Collection: B["Collection"];
  /** Which classes go by which names, for `assoc`. */
  readonly registry: Registry;
  /** In the place of `Backbone.sync`, or of the `sync` of a class. */
  readonly sync: (method: SyncMethod, instance: Instance, options?: CallOptions) => unknown;
  /** Give a class all of this; the `sync` that it had is what `ajax` means then. */
  install<T extends { readonly prototype: object }>(of: T): T;
  /** Settings of everything; what a class, an instance or a request says goes before them. */
  configure(settings: Settings): void;
  /** Whether there is a connection. Over what needs none, as what goes on offline and other connectors, it is always so. */
  connected(): boolean;
  /** Put back what was replaced by `global`. */
  detach(): void;
}

type Prototype = { [name: string]: never };
type Extendable = { extend(properties: object): unknown };

/**
 * Put `backbone` over a client, with or without a connection, or over another connector. Without `global` nothing of Backbone's is
 * changed.
 *
 * ```js
 * const backsync = attach(Backbone, connect("http://127.0.0.1:9000"), { sync: "socket" });
 * const Message = backsync.Model.extend({ modelName: "ChatMessage" });
 * const Messages = backsync.Collection.extend({ model: Message, config: { live: true } });
 *
 * const messages = new Messages([], { where: { room: "lobby" }, sort: "at" });
 * messages.syncBind("upsert", (record) => console.log(record.text));
 * await messages.fetch();                            // reads, and listens from then on
 * messages.create({ room: "lobby", text: "hello" });
 * ```
 *
 * Requests give jQuery's promises where Backbone has jQuery, and the platform's elsewhere. They reject with a {@link SyncTimeout} where
 * there is no connection within the `timeout`, with a `BacksyncError` by the client, and with whatever the sync function gives by ajax.
 * They throw a `TypeError` where `sync` has a flag that there is not, and where nothing says of which model they are.
 */
export function attach<B extends BackboneLike>(backbone: B, backing: Backing, options: AttachOptions = {}): Attachment<B> {
  const { global = false, api = "/api", registry = new Registry(), ...settings } = options;
  const before = backbone.sync as SyncFunction;
  const inherited = { Model: (backbone.Model.prototype as Instance).sync, Collection: (backbone.Collection.prototype as Instance).sync };
  const plain = new Map<string, ModelClass>();
  const classes: Classes = {
    model(name) {
      const known = (registry.get(name) as ModelClass | undefined) ?? plain.get(name);
      if (known) return known;
      const made = extend(Model, { modelName: name }) as ModelClass;
      plain.set(name, made);
      return made;
    },
    collection: (model) => extend(Collection, { model }) as CollectionClass,
  };
  const engine = new Engine(backing, { settings, api, delegate: before, $: () => backbone.$, classes });
  const sync = function (method: SyncMethod, instance: Instance, options?: CallOptions): unknown {
    return engine.sync(method, instance, options);
  };
  const methodsOf = (of: { readonly prototype: object }, isGlobal: boolean): object => {
    // What a class has now, and not what it has when it is called.
    const original = copy(of.prototype);
    const own = isGlobal ? undefined : sync;
    const methods = "add" in of.prototype ? collectionMethods(engine, original, own) : modelMethods(engine, original, own);
    return isGlobal ? methods : { ...methods, sync };
  };
  const undo: (() => void)[] = [];
  let { Model, Collection } = backbone as { Model: BackboneLike["Model"]; Collection: BackboneLike["Collection"] };
  if (global) {
    backbone.sync = sync;
    undo.push(() => (backbone.sync = before));
    for (const of of [Model, Collection]) undo.push(replace(of.prototype, methodsOf(of, true)));
  } else {
    Model = extend(Model, methodsOf(Model, false)) as typeof Model;
    Collection = extend(Collection, { ...methodsOf(Collection, false), model: Model }) as typeof Collection;
  }
  return {
    Model,
    Collection,
    registry,
    sync,
    install(of) {
      const { sync: had } = of.prototype as Instance;
      // Backbone's own leads to `Backbone.sync`, which may be this.
      const isOwn = had !== inherited.Model && had !== inherited.Collection;
      replace(of.prototype, { ...methodsOf(of, false), ...(isOwn && { [DELEGATE]: had }) });
      return of;
    },
    configure: (settings) => engine.subscriptions.configure(settings),
    connected: () => engine.subscriptions.isConnected(),
    detach: () => undo.splice(0).forEach((one) => one()),
  };
}

function extend(of: object, properties: object): unknown {
  return (of as Extendable).extend(properties);
}

function copy(prototype: object): Prototype {
  const all: { [name: string]: unknown } = {};
  for (const name of ["preinitialize", "on", "off", "bind", "unbind", "stopListening", "remove", "set", "get", "fetch"])
    all[name] = (prototype as { [name: string]: unknown })[name];
  return all as Prototype;
}

/** Put these in the place of what is there; the function returned puts that back. */
function replace(prototype: object, methods: object): () => void {
  const target = prototype as { [name: string]: unknown };
  const had = Object.getOwnPropertyDescriptors(target);
  Object.assign(target, methods);
  return () => {
    for (const name of Object.keys(methods)) {
      if (had[name]) Object.defineProperty(target, name, had[name]);
      else delete target[name];
    }
  };
}
