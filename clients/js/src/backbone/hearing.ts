/** What one instance hears of its records: what became of them since it knew them, by whatever way it came to know. */

import type { Collection } from "../collection.js";
import { equal } from "../equal.js";
import type { Stored } from "../messages.js";
import { Filled } from "../populate/filled.js";
import type { Members } from "./backbone.js";

export type Rec = Stored<Members>;

/** Who is told. `isMissed`: it happened before there was a connection, or while it was lost. */
export interface Listener {
  upserted(record: Rec, before: Rec | undefined, isMissed: boolean): void;
  deleted(record: Rec, left: boolean, isMissed: boolean): void;
}

export class Hearing {
  /** `undefined` until anything is known. */
  #known: Map<string, Rec> | undefined;
  #isMissed: boolean;
  #stops: (() => void)[];

  constructor(
    readonly collection: Collection<Members>,
    private readonly listener: Listener,
  ) {
    this.#isMissed = collection.state !== "live";
    this.#stops = [
      collection.on("reset", () => this.#compare()),
      collection.on("upsert", (record) => this.#upserted(record)),
      collection.on("delete", (record, left) => this.#deleted(record, left)),
      collection.on("state", (state) => {
        if (state === "live") this.#compare();
        this.#isMissed = state !== "live";
      }),
    ];
    if (collection.state !== "loading") this.#compare();
  }

  /** Whether the records show what they were to be populated with. */
  get isFilled(): boolean {
    return this.collection.source instanceof Filled;
  }

  /** Whether there is something new that is on its way. */
  get isBehind(): boolean {
    const { state, source } = this.collection;
    return state === "stale" || (state === "live" && source instanceof Filled && source.isBehind);
  }

  /** Resolves when something else is known. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      const stop = this.collection.source.watch(() => {
        stop();
        resolve();
      });
    });
  }

  /** The instance has these now: it hears what is otherwise, and what becomes of them. */
  knows(records: readonly Rec[]): void {
    this.#known = new Map(records.map((record) => [record.id, record]));
    if (this.collection.state !== "live") return;
    const isMissed = this.#isMissed;
    this.#isMissed = true;
    // What came by another way may be ahead of what is heard; that is heard of next.
    for (const record of this.collection.source.records.values()) this.#upserted(record);
    for (const [id, record] of this.#known) if (!this.collection.has(id)) this.#deleted(record, false);
    this.#isMissed = isMissed;
  }

  end(): void {
    for (const stop of this.#stops) stop();
    this.collection.close();
  }

  #compare(): void {
    const { records } = this.collection.source;
    // Nobody knows of anything yet: this is what there was.
    if (!this.#known) return void (this.#known = new Map(records));
    for (const record of records.values()) {
      // A history that began anew counts anew.
      if (this.#known.get(record.id)?._rev !== record._rev) this.#tell(record);
      else this.#upserted(record);
    }
    for (const [id, record] of this.#known) if (!records.has(id)) this.#deleted(record, false);
  }

  #upserted(record: Rec): void {
    const before = this.#known?.get(record.id);
    if (before && ((before._rev ?? 0) > (record._rev ?? 0) || equal(before, record))) return;
    this.#tell(record);
  }

  #tell(record: Rec): void {
    const before = this.#known?.get(record.id);
    (this.#known ??= new Map()).set(record.id, record);
    this.listener.upserted(record, before, this.#isMissed);
  }

  #deleted(record: Rec, left: boolean): void {
    if (!this.#known?.delete(record.id)) return;
    this.listener.deleted(record, left, this.#isMissed);
  }
}
