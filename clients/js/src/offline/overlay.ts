/** What a program sees offline: the records that the server is known to have, and over them the writes that wait. */

import type { Client } from "../client.js";
import type { Change, SourceState } from "../contents.js";
import type { Criteria } from "../criteria.js";
import { equal } from "../equal.js";
import type { BacksyncError } from "../errors.js";
import { matches } from "../filter.js";
import type { Patience } from "../ledger.js";
import type { Listening } from "../listening.js";
import type { AnyRecord, DeleteOptions, Doomed, Draft, Stored, WriteOptions } from "../messages.js";
import { randomName } from "../naming.js";
import type { Source, Watcher } from "../source.js";
import type { Cache } from "./cache.js";
import { applied, own, seenBy, type Edit, type Entry, type Members } from "./entry.js";
import type { Queue } from "./queue.js";

/** A write as it is handed on: who does so gives it its names. */
export type NewWrite = Pick<Entry, "model" | "method" | "edits" | "isArray"> & WriteOptions;

/** What an overlay needs of the offline client. */
export interface OverlayHost {
  readonly client: Client;
  readonly queue: Queue;
  /** Resolves to what the server answered, or where nobody can tell that, to what is `present` then. */
  write(write: NewWrite, patience: Patience, present: () => unknown): Promise<unknown>;
  /** Nobody watches any more. */
  ended(): void;
}

export class Overlay<T extends object> implements Source<T> {
  #base: Listening<T> | undefined;
  #endBase: (() => void) | undefined;
  #endQueue: (() => void) | undefined;
  #isClosed = false;
  #watchers = new Set<Watcher<T>>();
  /** The records that are written to, as they are shown; `undefined`: not at all. */
  #shown = new Map<string, Stored<T> | undefined>();
  /** What another tab was answered of records of which the listening may not have heard yet; `undefined`: deleted. */
  #answered = new Map<string, Stored<T> | undefined>();
  #isAsking = false;
  #merged: ReadonlyMap<string, Stored<T>> | undefined;

  constructor(
    readonly model: string,
    readonly criteria: Criteria,
    private readonly cache: Cache<T>,
    private readonly host: OverlayHost,
  ) {}

  get state(): SourceState {
    return this.#isClosed ? "closed" : (this.#base?.state ?? "loading");
  }

  get error(): BacksyncError | undefined {
    return this.#base?.error;
  }

  get records(): ReadonlyMap<string, Stored<T>> {
    if (this.#shown.size === 0 && this.#base) return this.#base.records;
    this.#merged ??= this.#merge();
    return this.#merged;
  }

  watch(watcher: Watcher<T>): () => void {
    const own: Watcher<T> = (changes) => watcher(changes);
    this.#watchers.add(own);
    if (this.#watchers.size === 1) void this.#begin();
    return () => {
      if (!this.#watchers.delete(own) || this.#watchers.size > 0) return;
      // What was seen stays to be seen.
      this.#merged = new Map(this.records);
      this.#isClosed = true;
      this.#endQueue?.();
      this.#endBase?.();
      void this.cache.close();
      this.host.ended();
    };
  }

  upsert(record: Draft<T>, options?: WriteOptions & Patience): Promise<Stored<T> | null>;
  upsert(records: readonly Draft<T>[], options?: WriteOptions & Patience): Promise<(Stored<T> | null)[]>;
  upsert(records: Draft<T> | readonly Draft<T>[], options: WriteOptions & Patience = {}): Promise<never> {
    const isArray = Array.isArray(records);
    const drafts = (isArray ? records : [records]) as Draft<T>[];
    const edits = drafts.map((draft) => this.#edit("upsert", String(draft.id ?? randomName()), own(draft as Members), draft._rev, options));
    return this.#write("upsert", edits, isArray, options) as Promise<never>;
  }

  async delete(records: Doomed | readonly Doomed[], options: DeleteOptions & Patience = {}): Promise<void> {
    const isArray = Array.isArray(records);
    const doomed = ((isArray ? records : [records]) as Doomed[]).map((one) => (typeof one === "object" ? one : { id: one }));
    const edits = doomed.map(({ id, _rev }) => this.#edit("delete", String(id), {}, _rev, options));
    await this.#write("delete", edits, isArray, options);
  }

  /** Nothing is kept any more; resolves when nothing is written any more. */
  endCache(): Promise<void> {
    return this.cache.close();
  }

  /**
   * Another tab was answered a write of this model with these records; nothing in their place: it was a deletion. Our own connection
   * may not have heard of it yet, so it is shown until that has answered something: it has heard then, of that and of what came later.
   */
  async answeredElsewhere(edits: readonly Edit[], data: unknown): Promise<void> {
    const records = [data].flat() as (Stored<T> | null | undefined)[];
    edits.forEach(({ id }, at) => this.#answered.set(id, records[at] && "id" in records[at] ? records[at] : undefined));
    if (this.#isAsking) return;
    this.#isAsking = true;
    while (this.#answered.size > 0) {
      const asked = new Map(this.#answered);
      // At the end of the client there is no answer, and nothing to wait for.
      await this.host.client.request(`${this.model}:read`, { ids: [] }, { options: { listen: false } }).catch(() => {});
      const heard = [...asked].filter(([id, record]) => this.#answered.has(id) && this.#answered.get(id) === record);
      for (const [id] of heard) this.#answered.delete(id);
      this.#tell(heard.flatMap(([id]) => this.#refresh(id)));
    }
    this.#isAsking = false;
  }

  async #begin(): Promise<void> {
    const { client, queue } = this.host;
    for (const id of queue.idsOf(this.model)) this.#refresh(id);
    this.#endQueue = queue.watch((model, ids) => {
      if (model === this.model) this.#tell([...ids].flatMap((id) => this.#refresh(id)));
    });
    const copy = await this.cache.load();
    if (this.#isClosed) return;
    const base = client.listening<T>(this.model, this.criteria, copy);
    this.#base = base;
    this.#endBase = base.watch((changes) => {
      this.#heard(changes);
      this.cache.heard(base, changes);
    });
    this.cache.follow(base);
    if (base.state !== "loading") this.#heard([{ type: "reset", records: [...base.records.values()] }, { type: "state", state: base.state }]);
  }

  #heard(changes: readonly Change<Stored<T>>[]): void {
    this.#merged = undefined;
    const told: Change<Stored<T>>[] = [];
    for (const change of changes) {
      if (change.type === "upsert" || change.type === "delete") {
        if (this.#shown.has(change.id)) told.push(...this.#refresh(change.id, change.type === "delete" && change.left));
        else told.push(change);
      } else if (change.type === "reset") {
        this.#answered.clear();
        for (const id of [...this.#shown.keys()]) this.#refresh(id);
        told.push({ type: "reset", records: [...this.records.values()] });
      } else {
        // What is live has heard of everything.
        const answered = change.state === "live" ? [...this.#answered.keys()] : [];
        for (const id of answered) this.#answered.delete(id);
        told.push(...answered.flatMap((id) => this.#refresh(id)), change);
      }
    }
    this.#tell(told);
  }

  /** Look again what a record is; what that changes. */
  #refresh(id: string, left = false): Change<Stored<T>>[] {
    const base = this.#base?.records.get(id);
    const before = this.#shown.has(id) ? this.#shown.get(id) : base;
    const entries = this.host.queue.of(this.model, id);
    let record: Stored<T> | undefined = base;
    if (entries.length > 0 || this.#answered.has(id)) {
      if (this.#answered.has(id)) record = this.#answered.get(id);
      for (const entry of entries) record = applied(entry, id, record as AnyRecord | undefined) as Stored<T> | undefined;
      if (record && !this.#matches(record)) record = undefined;
      this.#shown.set(id, record);
    } else this.#shown.delete(id);
    this.#merged = undefined;
    if (equal(before, record)) return [];
    if (record) return [{ type: "upsert", id, record, ...(before && { before }) }];
    return before ? [{ type: "delete", id, record: before, left }] : [];
  }

  #matches(record: Stored<T>): boolean {
    const { where, ids } = this.criteria;
    if (where) return matches(where, record);
    return ids ? ids.some((id) => String(id) === record.id) : true;
  }

  /** Those of the server in their order, and behind them those that it does not have yet. */
  #merge(): ReadonlyMap<string, Stored<T>> {
    const merged = new Map<string, Stored<T>>();
    const take = (id: string, record: Stored<T> | undefined): void => void (record && merged.set(id, record));
    for (const [id, record] of this.#base?.records ?? []) take(id, this.#shown.has(id) ? this.#shown.get(id) : record);
    for (const id of [...this.#answered.keys(), ...this.host.queue.idsOf(this.model)]) if (!merged.has(id)) take(id, this.#shown.get(id));
    return merged;
  }

  #edit(method: "upsert" | "delete", id: string, set: Members, revision: number | null | undefined, options: WriteOptions): Edit {
    const base = options.base ?? revision ?? this.#base?.records.get(id)?._rev;
    // Not by way of `records`: those are put together anew after each write, for who looks at all of them.
    const current = this.#shown.has(id) ? this.#shown.get(id) : this.#base?.records.get(id);
    const seen = seenBy({ method, replace: options.replace ?? false }, set, current);
    return { id, set, seen, ...(base !== undefined && { base }) };
  }

  #write(method: "upsert" | "delete", edits: Edit[], isArray: boolean, how: WriteOptions & Patience): Promise<unknown> {
    const { timeout, signal, base: _, ...options } = how;
    const patience: Patience = { ...(timeout !== undefined && { timeout }), ...(signal && { signal }) };
    const present = (): unknown => {
      const records = edits.map(({ id }) => this.records.get(id) ?? null);
      return isArray ? records : records[0];
    };
    return this.host.write({ model: this.model, method, edits, isArray, ...options }, patience, present);
  }

  #tell(changes: readonly Change<Stored<T>>[]): void {
    if (changes.length === 0) return;
    for (const watcher of [...this.#watchers]) watcher(changes);
  }
}
