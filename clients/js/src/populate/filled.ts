/**
 * Records with those that their attributes lead to in the places of the ids: a source over others, of which every change shows in
 * this one. A record is shown when all is there that it leads to, and until then as it was; without a connection it is shown with what
 * there is.
 */

import type { Change } from "../contents.js";
import type { Criteria } from "../criteria.js";
import type { Patience } from "../ledger.js";
import type { DeleteOptions, Doomed, Draft, Stored, WriteOptions } from "../messages.js";
import { bare } from "../references.js";
import type { Source } from "../source.js";
import { Watched } from "../watched.js";
import { Attribute, type Leads, type Rec } from "./attribute.js";
import type { Populating } from "./index.js";
import { watch } from "./watch.js";

export class Filled<T extends object> extends Watched<T> implements Source<T> {
  #shown = new Map<string, Stored<T>>();
  #base!: Source<object>;
  #stop!: () => void;
  #attributes: Attribute[];
  /** Records that are to be looked at again; `true`: they may have left. */
  #due = new Map<string, boolean>();
  /** Whether everything was shown since it began anew. */
  #isWhole = false;
  /** Whether a record is shown later than those behind it. */
  #isLate = false;

  /** @throws TypeError where nobody says of which model they are that attributes lead to */
  constructor(
    readonly model: string,
    private readonly criteria: Criteria,
    leads: Leads,
    private readonly opener: Populating,
  ) {
    super();
    if (typeof leads !== "object" || Array.isArray(leads)) throw new TypeError('populate says of which models they are: { author: "User" }');
    this.#attributes = Object.entries(leads).map(([name, lead]) => new Attribute(name, lead, opener, (ids) => this.#changed(ids)));
  }

  get records(): ReadonlyMap<string, Stored<T>> {
    return this.#shown;
  }

  /** Whether there is something new that is not shown yet. */
  get isBehind(): boolean {
    return !this.#isWhole || this.#due.size > 0;
  }

  upsert(record: Draft<T>, options?: WriteOptions & Patience): Promise<Stored<T> | null>;
  upsert(records: readonly Draft<T>[], options?: WriteOptions & Patience): Promise<(Stored<T> | null)[]>;
  async upsert(records: unknown, options?: WriteOptions & Patience): Promise<never> {
    const write = async (drafts: unknown): Promise<unknown> => this.#base.upsert(drafts as Draft<object>, options);
    if (!Array.isArray(records)) return this.#fill((await write(this.#bare(records as Rec))) as Rec | null) as never;
    const written = (await write(records.map((record: Rec) => this.#bare(record)))) as (Rec | null)[];
    return written.map((record) => this.#fill(record)) as never;
  }

  delete(records: Doomed | readonly Doomed[], options?: DeleteOptions & Patience): Promise<void> {
    return this.#base.delete(records, options);
  }

  protected override begin(): void {
    const { where, ids } = this.criteria;
    [this.#base, this.#stop] = watch<object>(this.opener, this.model, { ...(where && { where }), ...(ids && { ids }) }, (changes) => {
      this.#take(changes);
      this.tell(this.#look());
    });
    this.#take([{ type: "reset", records: [...this.#base.records.values()] }]);
    // Who begins it sees this without being told.
    this.#look();
  }

  protected override end(): void {
    this.#stop();
    for (const attribute of this.#attributes) {
      attribute.clear();
      attribute.follow();
    }
  }

  #take(changes: readonly Change<Stored<object>>[]): void {
    for (const change of changes) {
      if (change.type === "state") continue;
      for (const attribute of this.#attributes) {
        if (change.type === "reset") {
          attribute.clear();
          for (const record of change.records) attribute.keep(record as Rec, true);
        } else {
          const before = change.type === "delete" ? change.record : change.before;
          if (before) attribute.keep(before as Rec, false);
          if (change.type === "upsert") attribute.keep(change.record as Rec, true);
        }
      }
      if (change.type === "reset") this.#isWhole = false;
      else this.#due.set(change.id, change.type === "delete" && change.left);
    }
    for (const attribute of this.#attributes) attribute.follow();
  }

  #changed(ids: readonly string[]): void {
    for (const id of ids) if (!this.#due.has(id)) this.#due.set(id, false);
    this.tell(this.#look());
  }

  /** Show what can be shown; what that changes. */
  #look(): Change<Stored<T>>[] {
    const base = this.#base;
    const changes: Change<Stored<T>>[] = [];
    const isThere = (record: Rec): boolean => base.state !== "live" || this.#attributes.every((attribute) => attribute.isThere(record));
    if (this.#isWhole) {
      for (const [id, left] of this.#due) {
        const record = base.records.get(id) as Rec | undefined;
        const before = this.#shown.get(id);
        if (record && !isThere(record)) {
          this.#isLate ||= before === undefined;
          continue;
        }
        this.#due.delete(id);
        if (record) {
          const filled = this.#fill(record) as Stored<T>;
          this.#shown.set(id, filled);
          changes.push({ type: "upsert", id, record: filled, ...(before && { before }) });
        } else if (this.#shown.delete(id)) changes.push({ type: "delete", id, record: before!, left });
      }
      if (this.#isLate) {
        const shown = this.#shown;
        this.#shown = new Map([...base.records.keys()].flatMap((id) => (shown.has(id) ? [[id, shown.get(id)!]] : [])));
        this.#isLate = this.#due.size > 0;
      }
    } else if (["live", "stale"].includes(base.state)) {
      const records = [...base.records.values()] as Rec[];
      if (records.every(isThere)) {
        this.#isWhole = true;
        this.#due.clear();
        this.#shown = new Map(records.map((record) => [record.id, this.#fill(record) as Stored<T>]));
        changes.push({ type: "reset", records: [...this.#shown.values()] });
      }
    }
    return [...changes, ...this.#stand()];
  }

  /** As bad as the worst of all that it stands on. */
  #stand(): Change<Stored<T>>[] {
    const sources = [this.#base, ...this.#attributes.flatMap(({ sources }) => sources)];
    for (const state of ["closed", "failed", "stale"] as const) {
      const found = sources.find((source) => source.state === state);
      if (found && (this.#isWhole || state !== "stale")) return this.become(state, found.error);
    }
    return this.#isWhole ? this.become("live") : [];
  }

  #fill(record: Rec | null): Rec | null {
    if (!record) return record;
    const filled: { [name: string]: unknown; readonly id: string } = { ...record };
    for (const attribute of this.#attributes) {
      const value = attribute.valueIn(record);
      if (value !== undefined) filled[attribute.name] = value;
    }
    return filled;
  }

  /** As it is written: the ids of what is shown, and nothing of what others keep. */
  #bare(record: Rec): object {
    const written: { [name: string]: unknown } = { ...bare(record, this.#attributes.map(({ name }) => name)) };
    for (const { name, isOthers } of this.#attributes) if (isOthers) delete written[name];
    return written;
  }
}
