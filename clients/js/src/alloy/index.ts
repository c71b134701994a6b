/**
 * A sync adapter for Alloy, Titanium's framework, over a client or any other connector. It is told of models by their
 * configuration:
 *
 *     config: { adapter: { type: "backsync", collection_name: "ChatMessage", live: true, policy: "merge" } }
 *
 * Alloy brings a Backbone of its own, 0.9.2 at the least, of which nothing is replaced.
 *
 * @module backsync/alloy
 */

import { isCollection, type CallOptions, type Instance, type ModelInstance, type SyncMethod } from "../backbone/backbone.js";
import { Engine } from "../backbone/engine.js";
import { settingsIn, type Settings } from "../backbone/settings.js";
import type { Backing } from "../backbone/socket.js";

/** What a model's file says in its `config`. */
export interface AlloyConfig {
  /** The attributes and their kinds, for Alloy; nothing is made of them here. Default: none. */
  columns?: object;
  /** The attributes that a new model begins with, for Alloy. Default: none. */
  defaults?: object;
  /** Which adapter the model has, and what it is to do: its own {@link Settings} stand among the names of Alloy. */
  adapter?: Settings & {
    /** The name of the adapter's file: `backsync`. */
    type?: string;
    /** The name of the model on the server. Default: that of the file. */
    collection_name?: string;
    /** The attribute that has the id. Default: Backbone's, `id`. */
    idAttribute?: string;
  };
  [name: string]: unknown;
}

/** What Alloy asks of the file of an adapter. */
export interface AlloyAdapter {
  /**
   * Carry out what Backbone asks for. `fetch({ id })` reads one record, also into a collection; behind each read the event `fetch` is
   * triggered, unless it is `silent`.
   */
  sync(method: SyncMethod, model: Instance, options?: CallOptions): unknown;
  /** What becomes of a model's `config`: everything has a value, and settings of the adapter are the model's. */
  beforeModelCreate(config: AlloyConfig | undefined, name: string): AlloyConfig;
  /** Give a class that was made the name of its model on the server, and its id attribute. */
  afterModelCreate(model: { readonly prototype: object }, name: string): void;
}

/**
 * The exports of an adapter's file, `app/lib/alloy/sync/backsync.js`:
 *
 * ```js
 * const { alloy, connect } = require("/backsync.alloy");
 * Object.assign(exports, alloy(connect("https://example.com", { WebSocket })));
 * ```
 *
 * `backing` is a client, what `openOffline` gives, or another connector. `settings` are those of all models, before what each says
 * of itself. Requests go by it alone: the flag `ajax` is not for Alloy.
 */
export function alloy(backing: Backing, settings: Settings = {}): AlloyAdapter {
  const nobody = (): never => {
    throw new TypeError("assoc is for Backbone; Alloy's models say nothing of each other");
  };
  const engine = new Engine(backing, {
    settings: { ...settings, sync: "socket" },
    api: "/api",
    delegate: undefined,
    $: () => undefined,
    classes: { model: nobody, collection: nobody },
  });
  return {
    sync(method, model, options = {}) {
      const { id } = options as { id?: string | number };
      // `fetch({ id })`, which Alloy's own adapters know.
      const isOther = method === "read" && id !== undefined && id !== null;
      if (isOther && !isCollection(model)) (model as ModelInstance).set({ [(model as ModelInstance).idAttribute]: id }, { silent: true });
      const asked = isOther && isCollection(model) ? { ...options, ids: [id] } : options;
      if (method !== "read" || options["silent"]) return engine.sync(method, model, asked);
      const { success } = asked;
      // What is bound to a collection looks at it again.
      return engine.sync(method, model, {
        ...asked,
        success(data: never) {
          success?.(data);
          model.trigger("fetch", { fromAdapter: true });
        },
      });
    },
    beforeModelCreate(config = {}, name) {
      const { adapter = {} } = config;
      return {
        ...config,
        ...settingsIn(adapter),
        columns: config.columns ?? {},
        defaults: config.defaults ?? {},
        adapter: { ...adapter, collection_name: adapter.collection_name ?? name },
      };
    },
    afterModelCreate({ prototype }, name) {
      const model = prototype as { config?: AlloyConfig; modelName?: string; idAttribute?: string };
      const { collection_name: modelName = name, idAttribute } = model.config?.adapter ?? {};
      model.modelName = modelName;
      if (idAttribute !== undefined) model.idAttribute = idAttribute;
    },
  };
}
