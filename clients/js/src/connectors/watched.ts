/** What every source has that keeps records of its own: who watches it, and what one message changed. */

import type { Change } from "../contents.js";
import type { Criteria } from "../criteria.js";
import { equal } from "../equal.js";
import { matches } from "../filter.js";
import type { Patience } from "../ledger.js";
import type { AnyRecord, DeleteOptions, Doomed, Draft, Stored, WriteOptions } from "../messages.js";
import type { Source } from "../source.js";
import { Watched } from "../watched.js";

/**
 * A source to begin one of your own with: it has who watches, and makes of records what is told of them.
 *
 * ```js
 * class Ticker extends WatchedSource {
 *   begin() {
 *     this.tell(this.become("live"));
 *     this.timer = setInterval(() => this.tell(this.changed("now", { id: "now", at: Date.now() })), 1000);
 *   }
 *   end() {
 *     clearInterval(this.timer);
 *   }
 *   async upsert() {
 *     throw new TypeError("nobody sets the clock");
 *   }
 *   async delete() {
 *     throw new TypeError("nobody stops it");
 *   }
 * }
 * const ticker = new Collection(new Ticker("Ticker", {}));
 * ```
 */
export abstract class WatchedSource<T> extends Watched<T> implements Source<T> {
  /** Those that match, by id; kept by {@link WatchedSource.changed}, or set as a whole. */
  records: ReadonlyMap<string, Stored<T>> = new Map();

  /** Of a model's records that match the criteria; `{}`: of all. */
  constructor(
    /** The name of its model. */
    readonly model: string,
    /** Which records it has. */
    readonly criteria: Criteria,
  ) {
    super();
  }

  /** Write a record, and tell what that changed. Resolves to the record as it then is. */
  abstract upsert(record: Draft<T>, options?: WriteOptions & Patience): Promise<Stored<T> | null>;
  /** The same for several records: all of them or none. */
  abstract upsert(records: readonly Draft<T>[], options?: WriteOptions & Patience): Promise<(Stored<T> | null)[]>;
  /** Delete records, by their ids or as they are, and tell what that changed. */
  abstract delete(records: Doomed | readonly Doomed[], options?: DeleteOptions & Patience): Promise<void>;

  /** A record is so now, `undefined`: not there any more. What is to be told of it to whoever watches: nothing where it was so. */
  protected changed(id: string, record: Stored<T> | undefined): Change<Stored<T>>[] {
    const records = this.records as Map<string, Stored<T>>;
    const before = records.get(id);
    if (record && this.wants(record)) {
      if (before && equal(before, record)) return [];
      records.set(id, record);
      return [{ type: "upsert", id, record, ...(before && { before }) }];
    }
    if (!before) return [];
    records.delete(id);
    return [{ type: "delete", id, record: before, left: record !== undefined }];
  }

  /** Whether a record is one of those that this source is of. */
  protected wants(record: Stored<T>): boolean {
    const { where, ids } = this.criteria;
    if (where) return matches(where, record as unknown as AnyRecord);
    return ids ? ids.some((id) => String(id) === record.id) : true;
  }
}

/** What is written as an array, and whether it was one. */
export function listed<V>(values: V | readonly V[]): { list: readonly V[]; isArray: boolean } {
  return Array.isArray(values) ? { list: values as readonly V[], isArray: true } : { list: [values as V], isArray: false };
}
