/** The records that a listening has, and what messages make of them: pure. */

import type { BacksyncError } from "./errors.js";
import type { AnyRecord } from "./messages.js";

/**
 * How a source of records stands:
 *
 * - `loading`: it has nothing yet
 * - `live`: it has everything, and hears of every change
 * - `stale`: it has what it had when the connection was lost, or what was kept
 * - `failed`: the server does not let this client listen
 * - `closed`: nobody listens any more
 */
export type SourceState = "loading" | "live" | "stale" | "failed" | "closed";

/** What becomes of records. */
export type Change<T> =
  /** These take the place of all that there were. */
  | { readonly type: "reset"; readonly records: readonly T[] }
  /** A record is new, or another than before. */
  | { readonly type: "upsert"; readonly id: string; readonly record: T; readonly before?: T }
  /** A record is gone; `left`: it is still there, and matches the criteria no more. */
  | { readonly type: "delete"; readonly id: string; readonly record: T; readonly left: boolean }
  /** The source stands differently; `error`: why. */
  | { readonly type: "state"; readonly state: SourceState; readonly error?: BacksyncError };

/** Records by their ids, in the order of their insertion on the server. A record that changes keeps its place. */
export class Contents<T extends { readonly id: string } = AnyRecord> {
  /** By id, in their order. */
  readonly records = new Map<string, T>();
  /** The largest number of records that the model keeps; `undefined`: any. */
  bound: number | undefined;

  /** Have just these, in this order. */
  reset(records: readonly T[]): Change<T>[] {
    this.records.clear();
    for (const record of records) this.records.set(record.id, record);
    return [{ type: "reset", records: [...this.records.values()] }];
  }

  /** Take a record in, in the place of the one with its id or behind all others; what is beyond the bound goes. */
  upsert(record: T): Change<T>[] {
    const { id } = record;
    const before = this.records.get(id);
    this.records.set(id, record);
    return [{ type: "upsert", id, record, ...(before === undefined ? {} : { before }) }, ...this.trim()];
  }

  /** Let a record go; nothing changes where it is not there. `left`: it is still on the server. */
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
