/** The records that a listening has, and what messages make of them: pure. */

import type { BacksyncError } from "./errors.js";
import type { AnyRecord } from "./messages.js";

/** How a source of records stands. */
export type SourceState =
  /** It has nothing yet. */
  | "loading"
  /** It has everything, and hears of every change. */
  | "live"
  /** It has what it had when the connection was lost. */
  | "stale"
  /** The server does not let this client listen. */
  | "failed"
  /** Nobody listens any more. */
  | "closed";

/** What becomes of records. */
export type Change<T> =
  /** These take the place of all that there were. */
  | { readonly type: "reset"; readonly records: readonly T[] }
  /** A record is new, or another than before. */
  | { readonly type: "upsert"; readonly id: string; readonly record: T; readonly before?: T }
  /** A record is gone; `left`: it is still there, and matches the criteria no more. */
  | { readonly type: "delete"; readonly id: string; readonly record: T; readonly left: boolean }
  | { readonly type: "state"; readonly state: SourceState; readonly error?: BacksyncError };

/** Records by their ids, in the order of their insertion on the server. A record that changes keeps its place. */
export class Contents<T extends { readonly id: string } = AnyRecord> {
  readonly records = new Map<string, T>();
  /** The largest number of records that the model keeps. */
  bound: number | undefined;

  reset(records: readonly T[]): Change<T>[] {
    this.records.clear();
    for (const record of records) this.records.set(record.id, record);
    return [{ type: "reset", records: [...this.records.values()] }];
  }

  upsert(record: T): Change<T>[] {
    const { id } = record;
    const before = this.records.get(id);
    this.records.set(id, record);
    return [{ type: "upsert", id, record, ...(before === undefined ? {} : { before }) }, ...this.trim()];
  }

  /** What is not there cannot go. */
  delete(id: string, left = false): Change<T>[] {
    const record = this.records.get(id);
    if (record === undefined) return [];
    this.records.delete(id);
    return [{ type: "delete", id, record, left }];
  }

  /** Let the oldest go that are beyond the bound: their evictions are not pushed. */
  trim(): Change<T>[] {
    const gone: Change<T>[] = [];
    if (this.bound === undefined) return gone;
    for (const id of this.records.keys()) {
      if (this.records.size <= this.bound) break;
      gone.push(...this.delete(id));
    }
    return gone;
  }
}
