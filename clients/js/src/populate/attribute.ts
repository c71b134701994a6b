/** One attribute that leads to other records: which those are, and what is listened to for them. */

import type { Stored } from "../messages.js";
import { idsIn, partOf, whereVia } from "../references.js";
import type { Source } from "../source.js";
import type { Populating } from "./index.js";
import { watch } from "./watch.js";

/** What an attribute leads to, where there is more to say than the name of a model. */
export interface Lead {
  /** The name of the model of those. */
  readonly model: string;
  /** They keep the link: this attribute of theirs has the record's id, or has it among others. */
  readonly via?: string;
  /** What they lead to themselves, to be filled in too. */
  readonly populate?: Leads;
  /**
   * What the attribute shows of those that are there: in the order of the ids, or with `via` of their insertion. `undefined`: what it has. Default:
   * each in the place of its id, or with `via` all of them.
   */
  readonly choose?: (records: readonly Stored<object>[]) => unknown;
}

/** What attributes lead to: the name of a model, or more than that. */
export type Leads = { readonly [attribute: string]: string | Lead };

export type Rec = Stored<{ readonly [name: string]: unknown }>;

/** What is listened to for some of the ids that an attribute has. */
interface Part {
  readonly source: Source<object>;
  readonly ids: readonly string[];
  end(): void;
}

/** What it has are ids, in the places of which others are shown: with `via` that of the record itself. */
export class Attribute {
  readonly #lead: Lead;
  /** The records that show what an id leads to. */
  #shownIn = new Map<string, Set<string>>();
  #parts = new Map<string, Part>();
  /** Ids that somebody has now and nobody had, or the other way around. */
  #touched = new Set<string>();

  /** `changed`: what is shown in these records may be otherwise. */
  constructor(
    readonly name: string,
    lead: string | Lead,
    private readonly opener: Populating,
    private readonly changed: (ids: readonly string[]) => void,
  ) {
    this.#lead = typeof lead === "string" ? { model: lead } : lead;
  }

  /** The records themselves have nothing there. */
  get isOthers(): boolean {
    return this.#lead.via !== undefined;
  }

  get sources(): Source<object>[] {
    return [...this.#parts.values()].map(({ source }) => source);
  }

  /** This record is there now, or it is not any more. */
  keep(record: Rec, isThere: boolean): void {
    for (const id of this.#idsOf(record)) {
      const shownIn = this.#shownIn.get(id) ?? new Set();
      if (isThere) shownIn.add(record.id);
      else shownIn.delete(record.id);
      if (shownIn.size > 0) this.#shownIn.set(id, shownIn);
      else this.#shownIn.delete(id);
      this.#touched.add(id);
    }
  }

  /** None is. */
  clear(): void {
    for (const id of this.#shownIn.keys()) this.#touched.add(id);
    this.#shownIn.clear();
  }

  /** Listen to those that are led to now, and no more to what nobody leads to. */
  follow(): void {
    const touched = [...this.#touched];
    this.#touched.clear();
    const isLedTo = (id: string): boolean => this.#shownIn.has(id);
    const added = touched.filter((id) => isLedTo(id) && !this.#parts.has(id));
    if (this.isOthers) for (const id of added) this.#listen([id]);
    else if (added.length > 0) this.#listen(added);
    for (const id of touched) {
      const part = this.#parts.get(id);
      if (!part || part.ids.some(isLedTo)) continue;
      part.end();
      for (const one of part.ids) this.#parts.delete(one);
    }
  }

  /** Whether all is there that the record leads to, or it is known that there is none. */
  isThere(record: Rec): boolean {
    return this.#idsOf(record).every((id) => (this.#parts.get(id)?.source.state ?? "loading") !== "loading");
  }

  valueIn(record: Rec): unknown {
    const { choose } = this.#lead;
    const at = (id: unknown): Stored<object> | undefined => this.#parts.get(String(id))?.source.records.get(String(id));
    const value = record[this.name];
    if (this.isOthers) {
      const found = [...(this.#parts.get(record.id)?.source.records.values() ?? [])];
      return choose ? choose(found) : found;
    }
    if (choose) return partOf(value, choose(idsIn(value).flatMap((id) => at(id) ?? [])));
    return Array.isArray(value) ? value.map((id) => at(id) ?? id) : (at(value) ?? value);
  }

  #idsOf(record: Rec): string[] {
    return this.isOthers ? [record.id] : idsIn(record[this.name]);
  }

  #listen(ids: readonly string[]): void {
    const { model, via, populate } = this.#lead;
    const criteria = via === undefined ? { ids } : { where: whereVia(via, ids[0]!) };
    const [source, end] = watch<object>(this.opener, model, { ...criteria, ...(populate && { populate }) }, (changes) => {
      const changed = changes.flatMap((change) => (via === undefined && "id" in change ? change.id : change.type === "state" ? [] : ids));
      this.changed(changed.flatMap((id) => [...(this.#shownIn.get(id) ?? [])]));
    });
    for (const id of ids) this.#parts.set(id, { source, ids, end });
  }
}
