/** What every source has that keeps records of its own: who watches it, and what one message changed. */

import type { Change } from "../contents.js";
import type { Criteria } from "../criteria.js";
import { equal } from "../equal.js";
import { matches } from "../filter.js";
import type { Patience } from "../ledger.js";
import type { AnyRecord, Doomed, Draft, Stored, WriteOptions } from "../messages.js";
import type { Source } from "../source.js";
import { Watched } from "../watched.js";

export abstract class WatchedSource<T> extends Watched<T> implements Source<T> {
  records: ReadonlyMap<string, Stored<T>> = new Map();

  constructor(
    readonly model: string,
    readonly criteria: Criteria,
  ) {
    super();
  }

  abstract upsert(record: Draft<T>, options?: WriteOptions & Patience): Promise<Stored<T> | null>;
  abstract upsert(records: readonly Draft<T>[], options?: WriteOptions & Patience): Promise<(Stored<T> | null)[]>;
  abstract delete(records: Doomed | readonly Doomed[], options?: WriteOptions & Patience): Promise<void>;

  /** A record is so now, `undefined`: not there any more. What that is to whoever watches. */
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
