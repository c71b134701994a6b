/** Records that are kept in this page alone: for tests, drafts, and pages without a server. */

import { Collection, type CollectionOptions } from "../collection.js";
import type { Criteria } from "../criteria.js";
import { equal } from "../equal.js";
import { BacksyncError } from "../errors.js";
import type { AnyRecord, DeleteOptions, Doomed, Draft, Stored, WriteOptions } from "../messages.js";
import { randomName } from "../naming.js";
import type { Opener } from "../opener.js";
import { listed, WatchedSource } from "./watched.js";

type Rec = Stored<{ readonly [name: string]: unknown }>;

/**
 * A connector whose collections have records of this page alone; those of one model have the same. `initial`: what there is at first, by
 * the names of the models.
 *
 * ```js
 * const connector = memoryConnector({ Task: [{ id: "t1", title: "sweep" }] });
 * const tasks = connector.collection("Task", { sort: "title" });
 * ```
 *
 * Writes know the policies `client-wins`, which is the default, and `server-wins`, whose conflicts reject with `conflict`; others reject
 * with a `TypeError`. A record without `id` gets a random UUID.
 */
export function memoryConnector(initial: { readonly [model: string]: readonly AnyRecord[] } = {}): Opener {
  const tables = new Map<string, Table>();
  const table = (model: string): Table => {
    let found = tables.get(model);
    if (!found) tables.set(model, (found = new Table()));
    return found;
  };
  for (const [model, records] of Object.entries(initial)) table(model).upsert(records, {});
  return {
    collection<T extends object>(model: string, options: Criteria & CollectionOptions<T> = {}) {
      return new Collection<T>(new MemorySource<T>(model, options, table(model)), options);
    },
  };
}

/** The records of one model. */
class Table {
  records = new Map<string, Rec>();
  readonly sources = new Set<MemorySource<never>>();
  #revision = 0;

  upsert(drafts: readonly Draft<object>[], { replace, policy, base }: WriteOptions): Rec[] {
    return this.#commit((records) =>
      drafts.map((draft, element) => {
        const id = String(draft.id ?? randomName());
        const known = records.get(id);
        this.#check(policy, base ?? draft._rev ?? undefined, known, element);
        const own = Object.fromEntries(Object.entries(draft).filter(([name]) => !name.startsWith("_")));
        const { _rev, ...kept } = known ?? {};
        const next = { ...(replace ? {} : kept), ...own, id };
        if (known && equal(next, { ...kept })) return known;
        const record: Rec = { ...next, _rev: ++this.#revision };
        records.set(id, record);
        return record;
      }),
    );
  }

  delete(doomed: readonly Doomed[], { policy, base }: DeleteOptions): void {
    this.#commit((records) => {
      doomed.forEach((one, element) => {
        const { id, _rev } = typeof one === "object" ? one : { id: one, _rev: undefined };
        const known = records.get(String(id));
        if (!known) return;
        this.#check(policy, base ?? _rev ?? undefined, known, element);
        records.delete(String(id));
        this.#revision++;
      });
    });
  }

  /** All or nothing, and in one message. */
  #commit<R>(work: (records: Map<string, Rec>) => R): R {
    const [before, next, revision] = [this.records, new Map(this.records), this.#revision];
    let done: R;
    try {
      done = work(next);
    } catch (error) {
      this.#revision = revision;
      throw error;
    }
    this.records = next;
    const ids = [...new Set([...before.keys(), ...next.keys()])].filter((id) => before.get(id) !== next.get(id));
    for (const source of this.sources) source.told(ids);
    return done;
  }

  #check(policy: WriteOptions["policy"], base: number | undefined, known: Rec | undefined, element: number): void {
    if (policy === undefined || policy === "client-wins") return;
    if (policy !== "server-wins") throw new TypeError(`records in memory know client-wins and server-wins, not ${policy}`);
    if (base === undefined || base === known?._rev) return;
    throw new BacksyncError({ code: "conflict", message: "the record is not as it was when it was read", record: known ?? null, element });
  }
}

class MemorySource<T extends object> extends WatchedSource<T> {
  constructor(
    model: string,
    criteria: Criteria,
    private readonly table: Table,
  ) {
    super(model, criteria);
  }

  override upsert(record: Draft<T>, options?: WriteOptions): Promise<Stored<T> | null>;
  override upsert(records: readonly Draft<T>[], options?: WriteOptions): Promise<(Stored<T> | null)[]>;
  override async upsert(records: Draft<T> | readonly Draft<T>[], options: WriteOptions = {}): Promise<never> {
    const { list, isArray } = listed(records);
    const written = this.table.upsert(list, options);
    return (isArray ? written : written[0]) as never;
  }

  override async delete(records: Doomed | readonly Doomed[], options: DeleteOptions = {}): Promise<void> {
    this.table.delete(listed(records).list, options);
  }

  /** These records are others now, or gone. */
  told(ids: readonly string[]): void {
    this.tell(ids.flatMap((id) => this.changed(id, this.table.records.get(id) as Stored<T> | undefined)));
  }

  protected override begin(): void {
    this.table.sources.add(this as unknown as MemorySource<never>);
    const all = this.table.records as ReadonlyMap<string, unknown> as ReadonlyMap<string, Stored<T>>;
    this.records = new Map([...all].filter(([, record]) => this.wants(record)));
    this.become("live");
  }

  protected override end(): void {
    this.table.sources.delete(this as unknown as MemorySource<never>);
  }
}
