/**
 * One listening to records of a model, which all collections with the same criteria share: what it has, how far it has heard,
 * what it asks for after a connect, and what each message means to it. It knows no connection.
 */

import { Contents, type Change } from "./contents.js";
import type { Criteria } from "./criteria.js";
import { BacksyncError } from "./errors.js";
import type { Patience } from "./ledger.js";
import type { DeleteOptions, Doomed, Draft, Message, Push, Stored, WriteOptions } from "./messages.js";
import type { Source } from "./source.js";
import { Watched } from "./watched.js";

/** Records as they once were, and when that was. */
export interface Copy<T> {
  /** All of them, in their order. */
  readonly records: readonly Stored<T>[];
  /** The place in the model's history, as {@link Listening.position} had it. */
  readonly position: string;
}

/** What a listening needs of the client. */
export interface Host {
  /** Somebody watches now. */
  begin(listening: Listening<never>): void;
  /** Nobody does any more. */
  end(listening: Listening<never>): void;
  upsert(model: string, records: unknown, options?: WriteOptions & Patience): Promise<unknown>;
  delete(model: string, records: unknown, options?: DeleteOptions & Patience): Promise<void>;
}

/**
 * The source of a collection of a client's: what the server told of the records with certain criteria. All collections that want the same
 * stand on one. See {@link Client.listening}.
 */
export class Listening<T> extends Watched<T> implements Source<T> {
  /** Up to where it has heard: a position of the protocol, `undefined` before the first answer. */
  position: string | undefined;
  /** What its pushes are marked with, where it has a filter. */
  filter: string | undefined;
  /** The ids that it listens to, where its criteria have some. */
  readonly ids: ReadonlySet<string> | undefined;
  #contents = new Contents<Stored<T>>();

  /** @internal */
  constructor(
    /** The name of its model. */
    readonly model: string,
    /** Which records it has. */
    readonly criteria: Criteria,
    private readonly host: Host,
    copy?: Copy<T>,
  ) {
    super();
    this.ids = criteria.ids && new Set(criteria.ids.map(String));
    if (copy) {
      this.#contents.reset(copy.records);
      this.position = copy.position;
      this.state = "stale";
    }
  }

  /** What it has, by id, in the order of insertion. */
  get records(): ReadonlyMap<string, Stored<T>> {
    return this.#contents.records;
  }

  /** As {@link Client.upsert} of its model. */
  upsert(record: Draft<T>, options?: WriteOptions & Patience): Promise<Stored<T> | null>;
  /** The same for several records: all of them or none. */
  upsert(records: readonly Draft<T>[], options?: WriteOptions & Patience): Promise<(Stored<T> | null)[]>;
  upsert(records: unknown, options?: WriteOptions & Patience): Promise<never> {
    return this.host.upsert(this.model, records, options) as Promise<never>;
  }

  /** As {@link Client.delete} of its model. */
  delete(records: Doomed | readonly Doomed[], options?: DeleteOptions & Patience): Promise<void> {
    return this.host.delete(this.model, records, options);
  }

  /** The `data` of a query for it, from where it has heard. @internal */
  get query(): object {
    const { criteria, position: since } = this;
    const { where } = criteria;
    return { ...(where && { where }), ...(this.ids && { ids: [...this.ids] }), ...(since !== undefined && { since }) };
  }

  /** The server has answered the query. @internal */
  answered(reply: Message): void {
    if (reply.error) {
      return this.tell(this.become("failed", new BacksyncError(reply.error)));
    }
    const contents = this.#contents;
    const records = reply.data as Stored<T>[];
    const changes: Change<Stored<T>>[] = [];
    contents.bound = reply.max_records;
    if (this.position === undefined || reply.reset) {
      changes.push(...contents.reset(records));
    } else {
      for (const id of reply.deleted ?? []) changes.push(...contents.delete(id));
      for (const record of records) changes.push(...contents.upsert(record));
      changes.push(...contents.trim());
    }
    this.filter = reply.filter;
    this.position = reply.position;
    this.tell([...changes, ...this.become("live")]);
  }

  /** A push of its model came: whether it is for such as this one is found out here. @internal */
  pushed(method: string, push: Push): void {
    const isFiltered = this.criteria.where !== undefined;
    if (this.state !== "live" || (isFiltered ? push.filter !== this.filter : push.filter !== undefined)) return;
    const contents = this.#contents;
    const changes: Change<Stored<T>>[] = [];
    if (method === "reset") {
      const records = (push.data as Stored<T>[]).filter((record) => this.#wants(record));
      if (push.max_records !== undefined) contents.bound = push.max_records;
      changes.push(...contents.reset(records), ...contents.trim());
    } else {
      const record = push.data as Stored<T>;
      if (!this.#wants(record)) return;
      if (method === "upsert") changes.push(...contents.upsert(record));
      else if (method === "delete") changes.push(...contents.delete(record.id, push.left));
    }
    if (push.position !== undefined) this.position = push.position;
    this.tell(changes);
  }

  /** The connection is lost. @internal */
  lost(): void {
    if (this.state === "live") this.tell(this.become("stale"));
  }

  /** The client is over. @internal */
  over(error: BacksyncError): void {
    if (this.state !== "closed") this.tell(this.become("closed", error));
  }

  protected override begin(): void {
    this.host.begin(this as unknown as Listening<never>);
  }

  protected override end(): void {
    this.host.end(this as unknown as Listening<never>);
  }

  #wants(record: Stored<T>): boolean {
    return this.ids?.has(record.id) ?? true;
  }
}
