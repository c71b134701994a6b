/** Live records, for programs: contents in order, events, and changes one after the other. */

import { Changes } from "./changes.js";
import type { Change, SourceState } from "./contents.js";
import { BacksyncError } from "./errors.js";
import { Emitter } from "./events.js";
import type { Patience } from "./ledger.js";
import type { DeleteOptions, Doomed, Draft, Stored, WriteOptions } from "./messages.js";
import { comparison, type Sort } from "./sort.js";
import type { Source } from "./source.js";

/** How a collection shows its records. */
export interface CollectionOptions<T> {
  /** The order in which records stand: by paths as `"-priority"` or `["list", "title"]`, or as a function decides. Default: insertion. */
  readonly sort?: Sort<Stored<T>>;
}

/** What a collection tells by {@link Collection.on}: the names of the events, and what their handlers get. */
export type CollectionEvents<T> = {
  /** A record is new, or another than `before`. */
  upsert: [record: Stored<T>, before: Stored<T> | undefined];
  /** A record is gone; `left`: it is still there, and matches no more. */
  delete: [record: Stored<T>, left: boolean];
  /** Everything is another: at the beginning, and where the server could not say what changed. */
  reset: [records: readonly Stored<T>[]];
  /** It stands differently. `error`: why it is `failed`, or `closed` together with its client. */
  state: [state: SourceState, error: BacksyncError | undefined];
  /** Behind all events of one message of the server: whoever shows all records does so once. */
  update: [];
};

/**
 * Records that stay as they are on the server. What one message of the server changes is told within one turn, so nobody sees half of it.
 *
 * ```js
 * const tasks = client.collection("Task", { sort: "title" });
 * tasks.on("upsert", (task, before) => console.log(before ? "changed" : "new", task.title));
 * tasks.on("delete", (task, left) => console.log(left ? "matches no more" : "deleted", task.title));
 * tasks.on("update", () => draw(tasks.records));
 * for await (const change of tasks) console.log(change.type);
 * ```
 */
export class Collection<T extends object> implements Iterable<Stored<T>>, AsyncIterable<Change<Stored<T>>> {
  /**
   * Resolves when the records are there. Rejects with a {@link BacksyncError} where the server does not let us listen (`forbidden`,
   * `invalid_filter` and the like), and with `closed` where the end comes before. It settles once; `state` goes on telling.
   */
  readonly ready: Promise<void>;
  #events = new Emitter<CollectionEvents<T>>();
  #readers = new Set<Changes<Stored<T>>>();
  #compare: ((a: Stored<T>, b: Stored<T>) => number) | undefined;
  #list: readonly Stored<T>[] | undefined;
  #end: () => void;
  #settle!: { resolve(): void; reject(error: unknown): void };
  #closed = false;

  /** Over any source of records; for those of a server see {@link Client.collection}. */
  constructor(
    /** Where its records come from, and its writes go. */
    readonly source: Source<T>,
    options: CollectionOptions<T> = {},
  ) {
    const { populate } = options as { populate?: unknown };
    if (populate) throw new TypeError("collections are populated by `populated(client)` of backsync/populate");
    this.#compare = options.sort === undefined ? undefined : comparison(options.sort);
    this.ready = new Promise<void>((resolve, reject) => (this.#settle = { resolve, reject }));
    // Nobody has to wait for it.
    this.ready.catch(() => {});
    this.#end = source.watch((changes) => this.#told(changes));
    this.#settled();
  }

  /** The name of its model. */
  get model(): string {
    return this.source.model;
  }

  /** How it stands. */
  get state(): SourceState {
    return this.#closed ? "closed" : this.source.state;
  }

  /** Why it is in state `failed`, or `closed` together with its client. */
  get error(): BacksyncError | undefined {
    return this.source.error;
  }

  /** All records in their order: the same array until something changes. */
  get records(): readonly Stored<T>[] {
    if (!this.#list) {
      const list = [...this.source.records.values()];
      // Sorting is stable: what is equal stays in the order of insertion.
      if (this.#compare) list.sort(this.#compare);
      this.#list = list;
    }
    return this.#list;
  }

  /** How many records there are. */
  get size(): number {
    return this.source.records.size;
  }

  /** The record with this id; `undefined` where there is none. */
  get(id: string | number): Stored<T> | undefined {
    return this.source.records.get(String(id));
  }

  /** Whether there is a record with this id. */
  has(id: string | number): boolean {
    return this.source.records.has(String(id));
  }

  /** All records in their order, as `for (const record of collection)` takes them. */
  [Symbol.iterator](): Iterator<Stored<T>> {
    return this.records[Symbol.iterator]();
  }

  /**
   * What becomes of the records, as `for await (const change of collection)` takes it: it begins with a `reset` to what they are, as soon
   * as that is known. Who is more than 1000 changes behind gets another `reset` in their place. It ends with the collection, and throws
   * nothing.
   */
  [Symbol.asyncIterator](): AsyncIterator<Change<Stored<T>>, undefined> {
    const reader = new Changes<Stored<T>>(
      this.source.state !== "loading",
      () => ({ type: "reset", records: this.records }),
      () => this.#readers.delete(reader),
    );
    if (this.#closed || this.source.state === "closed") reader.end();
    else this.#readers.add(reader);
    return reader;
  }

  /** Call `handler` from now on; the function returned ends that. */
  on<Name extends keyof CollectionEvents<T>>(name: Name, handler: (...values: CollectionEvents<T>[Name]) => void): () => void {
    return this.#events.on(name, handler);
  }

  /**
   * Insert a record, or set members of the one that has this id. Resolves to the record as it then is; to `null` where this edit lost
   * against another and there is no record. It is in a collection that is `live` by then, if it matches.
   *
   * Rejects with a {@link BacksyncError}: `conflict` where the policy does not write over what others changed, other codes of the
   * protocol, or one of {@link ClientCode}.
   */
  upsert(record: Draft<T>, options?: WriteOptions & Patience): Promise<Stored<T> | null>;
  /** The same for several records: all of them or none. */
  upsert(records: readonly Draft<T>[], options?: WriteOptions & Patience): Promise<(Stored<T> | null)[]>;
  upsert(records: never, options?: WriteOptions & Patience): Promise<never> {
    return this.source.upsert(records, options) as Promise<never>;
  }

  /** Delete records, by their ids or as they are: all of them or none. To delete what is not there succeeds. Rejects as `upsert` does. */
  delete(records: Doomed | readonly Doomed[], options?: DeleteOptions & Patience): Promise<void> {
    return this.source.delete(records, options);
  }

  /** Listen no more. The records stay as they are; what is written goes on until it is answered. */
  close(): void {
    if (this.#closed) return;
    this.#list = this.records;
    this.#closed = true;
    this.#end();
    this.#settle.reject(BacksyncError.of("closed", "the collection is closed"));
    this.#events.emit("state", "closed", undefined);
    for (const reader of this.#readers) reader.end();
  }

  #told(changes: readonly Change<Stored<T>>[]): void {
    if (this.#closed || changes.length === 0) return;
    this.#list = undefined;
    for (const change of changes) {
      for (const reader of this.#readers) reader.tell(change);
      switch (change.type) {
        case "upsert":
          this.#events.emit("upsert", change.record, change.before);
          break;
        case "delete":
          this.#events.emit("delete", change.record, change.left);
          break;
        case "reset":
          this.#events.emit("reset", this.records);
          break;
        case "state":
          this.#events.emit("state", change.state, change.error);
      }
    }
    this.#settled();
    this.#events.emit("update");
    if (this.source.state === "closed") for (const reader of this.#readers) reader.end();
  }

  #settled(): void {
    const { state, error } = this.source;
    if (state === "live" || state === "stale") this.#settle.resolve();
    else if (state !== "loading") this.#settle.reject(error);
  }
}
