/** What is taken of Backbone: so little that it is the same from 0.9.2, which Titanium has, to 1.6. */

/** Attributes, or members of a record. */
export type Members = { readonly [name: string]: unknown };

/** The options of a call, which Backbone hands on to whatever it leads to. */
export interface CallOptions {
  /** Gets what came back. */
  success?: ((data: never) => void) | undefined;
  /** Gets what went wrong. */
  error?: ((error: never) => void) | undefined;
  /** What is written, in the place of the model's attributes. */
  attrs?: Members;
  /** What goes with a read: settings as `where`, and what else the server is to be told. */
  data?: unknown;
  /** Where the record or records are, by ajax. */
  url?: string;
  [name: string]: unknown;
}

/** What Backbone asks of a sync function. */
export type SyncMethod = "create" | "read" | "update" | "patch" | "delete";

/** `Backbone.sync`, or what a class has in its place. */
export type SyncFunction = (this: Instance, method: SyncMethod, instance: Instance, options: CallOptions) => unknown;

/** Where a class or an instance keeps the sync function that it had. */
export const DELEGATE = Symbol("delegate");

/** What hears and tells of events, as `Backbone.Events` does. */
export interface EventsLike {
  /** Call `handler` from now on. */
  on(name: string, handler: (...values: never[]) => void, context?: unknown): unknown;
  /** No more: those with this name, handler and context; without arguments all. */
  off(name?: string | null, handler?: ((...values: never[]) => void) | null, context?: unknown): unknown;
  /** Call who is bound. */
  trigger(name: string, ...values: unknown[]): unknown;
  /** Call `handler` when another one tells of this. Not before Backbone 0.9.9. */
  listenTo?(other: unknown, name: string, handler: (...values: never[]) => void): unknown;
  /** No more; without arguments to nobody. Not before Backbone 0.9.9. */
  stopListening?(other?: unknown, name?: string, handler?: (...values: never[]) => void): unknown;
}

/** A model or a collection of Backbone's. */
export interface Instance extends EventsLike {
  /** The name of its model on the server. */
  modelName?: unknown;
  /** Settings of its class. */
  config?: unknown;
  /** Where it is by ajax, or a function that says so. */
  url?: unknown;
  /** Its sync function. */
  sync: unknown;
  /** @internal */
  [DELEGATE]?: SyncFunction;
  /** Its attributes, or those of all its models. */
  toJSON(options?: object): unknown;
  /** Read it. */
  fetch(options?: object): unknown;
}

export interface ModelInstance extends Instance {
  id?: string | number | null;
  readonly idAttribute: string;
  readonly attributes: Members;
  readonly collection?: CollectionInstance;
  readonly urlRoot?: unknown;
  /** What its attributes lead to. */
  readonly assoc?: unknown;
  get(name: string): unknown;
  set(values: Members, options?: object): unknown;
  unset(name: string, options?: object): unknown;
  isNew(): boolean;
  parse?(data: unknown, options?: object): Members | null | undefined;
  save(values?: Members | null, options?: object): unknown;
  destroy(options?: object): unknown;
}

export interface CollectionInstance extends Instance {
  readonly models: readonly ModelInstance[];
  readonly model?: ModelClass | ((values: Members, options?: object) => ModelInstance);
  get(id: unknown): ModelInstance | undefined;
  add(records: unknown, options?: object): unknown;
  remove(records: unknown, options?: object): unknown;
}

/** A class of Backbone's kind. */
export interface BackboneClass<T extends object> {
  new (...values: never[]): T;
  readonly prototype: object;
  extend(properties?: never, classProperties?: never): unknown;
}

export type ModelClass = BackboneClass<ModelInstance>;
export type CollectionClass = BackboneClass<CollectionInstance>;

/** Backbone itself, or what has its parts. */
export interface BackboneLike {
  /** The class of models. */
  readonly Model: { readonly prototype: object; extend: unknown };
  /** The class of collections. */
  readonly Collection: { readonly prototype: object; extend: unknown };
  /** The class of views. */
  readonly View: { readonly prototype: object; extend: unknown };
  /** The function that carries requests out; `ajax` means it. */
  sync: unknown;
  /** jQuery, or whatever stands for it. */
  readonly $?: unknown;
}

/** Of prototypes too. */
export function isCollection(instance: Instance): instance is CollectionInstance {
  return typeof (instance as { add?: unknown }).add === "function";
}

/** Who is bound to which events, as Backbone keeps it from 1.0 on. */
export function handlersOf(instance: Instance): { readonly [event: string]: readonly { readonly context?: unknown }[] } {
  return (instance as { _events?: ReturnType<typeof handlersOf> })._events ?? {};
}

/** A model, or what the models of a collection have; where it decides for each of them there is none. */
export function prototypeOf(instance: Instance): ModelInstance | undefined {
  return isCollection(instance) ? (instance.model?.prototype as ModelInstance | undefined) : (instance as ModelInstance);
}

/** Attributes of this instance's class lead to its id. */
export function idAttributeOf(instance: Instance): string {
  if (!isCollection(instance)) return (instance as ModelInstance).idAttribute ?? "id";
  const { model } = instance;
  return (model?.prototype as { idAttribute?: string } | undefined)?.idAttribute ?? "id";
}

/** A member that is a value or a function that gives one. */
export function result(owner: object, name: string): unknown {
  const value = (owner as Record<string, unknown>)[name];
  return typeof value === "function" ? (value as () => unknown).call(owner) : value;
}
