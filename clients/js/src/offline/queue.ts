/**
 * The writes that wait, in their order: here, and in the storage that all tabs share. Who sends them is not decided here.
 *
 * A write is in here as soon as it is made, and kept a moment later; whoever sends it waits for that. Where it cannot be kept it is
 * sent all the same, and told.
 */

import type { Json } from "../messages.js";
import { parseEntry, type Entry } from "./entry.js";
import type { OfflineStorage } from "./storage.js";
import type { Trouble } from "./trouble.js";

/** What was refused, and waits for somebody to say what becomes of it. */
export interface SetAside {
  /** By which it is called here. */
  readonly key: string;
  /** The write; `undefined` where what was kept could not be read. */
  readonly entry: Entry | undefined;
  /** What was kept, as text of JSON. */
  readonly text: string;
  /** Why the server refused it. */
  readonly error?: {
    /** For programs: a code of the protocol. */
    readonly code: string;
    /** For people. */
    readonly message: string;
  };
}

/** Hears that the writes of these records of a model are others. */
export type QueueWatcher = (model: string, ids: ReadonlySet<string>) => void;

const QUEUE = "queue:";
const ASIDE = "aside:";

export class Queue {
  /** In their order. */
  #entries: Entry[] = [];
  #byRecord = new Map<string, Set<string>>();
  #byWrite = new Map<string, Entry>();
  /** Those of which the storage knows. */
  #kept = new Set<string>();
  /** Those that were removed, though the storage may not have heard of it when it was last read. */
  #removed = new Set<string>();
  #last = 0;
  #watchers = new Set<QueueWatcher>();
  /** What is under way to the storage, in its order. */
  #writing: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly storage: OfflineStorage,
    private readonly json: Json,
    private readonly trouble: (trouble: Trouble) => void,
  ) {}

  /** All of them, in their order. */
  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** Those that write to a record, in their order. */
  of(model: string, id: string): readonly Entry[] {
    const writes = this.#byRecord.get(`${model}:${id}`);
    if (!writes) return [];
    return [...writes].map((write) => this.#byWrite.get(write)!).sort((a, b) => a.seq - b.seq);
  }

  get(write: string): Entry | undefined {
    return this.#byWrite.get(write);
  }

  /** The records of a model that are written to, in the order of the writes. */
  idsOf(model: string): ReadonlySet<string> {
    return new Set(this.#entries.flatMap((entry) => (entry.model === model ? entry.edits.map(({ id }) => id) : [])));
  }

  watch(watcher: QueueWatcher): () => void {
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  /** Resolves when what was done up to now is kept, or was told that it cannot be. */
  kept(): Promise<void> {
    return this.#writing.then(() => {});
  }

  /** A new write, behind all others; `seq` is its own from when it is kept on. */
  add(entry: Omit<Entry, "seq">): void {
    this.#put({ ...entry, seq: ++this.#last });
    this.#later(async () => {
      for (;;) {
        const current = this.#byWrite.get(entry.write);
        if (!current) return;
        const key = keyOf(current);
        const isFree = await this.storage.write(new Map([[key, this.json.stringify(current)]]), { key, text: undefined });
        if (isFree) {
          // It may have been answered meanwhile.
          if (this.#byWrite.has(entry.write)) this.#kept.add(entry.write);
          return;
        }
        // Another tab has the place. Those of ours that wait to be kept go behind it, in their order.
        await this.#moveBehind(entry.write);
      }
    });
  }

  /** These are now so. */
  change(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    for (const entry of entries) this.#put(entry);
    this.#later(async () => {
      const changes = new Map<string, string>();
      for (const { write } of entries) {
        const entry = this.#byWrite.get(write);
        if (entry && this.#kept.has(write)) changes.set(keyOf(entry), this.json.stringify(entry));
      }
      await this.storage.write(changes);
    });
  }

  /** It was answered; with an error it was refused, and is set aside. What it did is no longer seen. */
  remove({ write }: Entry, error?: { code: string; message: string }): void {
    const entry = this.#forget(write);
    if (!entry) return;
    const changes = new Map<string, string | null>();
    // The place of one that could not be kept may be another's.
    if (this.#kept.delete(write)) changes.set(keyOf(entry), null);
    if (error) changes.set(ASIDE + write, this.json.stringify({ text: this.json.stringify(entry), error }));
    this.#later(() => this.storage.write(changes));
  }

  /** Another tab has sent it, and removed it from the storage. */
  removedElsewhere(write: string): Entry | undefined {
    this.#kept.delete(write);
    return this.#forget(write);
  }

  /**
   * What other tabs put into the storage is known here too then; `isAnew`: and what they made of what is known. Resolves to those that
   * are no longer there.
   */
  async load(isAnew = false): Promise<readonly Entry[]> {
    const before = new Set(this.#kept);
    let stored: [string, string][] = [];
    await this.#later(async () => {
      stored = await this.storage.list(QUEUE);
      const isThere = new Set<string>();
      for (const [key, text] of stored) {
        const entry = parseEntry(text, this.json);
        if (!entry || keyOf(entry) !== key) {
          await this.#setAside(key, text);
          continue;
        }
        isThere.add(entry.write);
        if (this.#removed.has(entry.write)) continue;
        this.#last = Math.max(this.#last, entry.seq);
        this.#kept.add(entry.write);
        if (isAnew || !this.#byWrite.has(entry.write)) this.#put(entry);
      }
      for (const write of isThere) before.delete(write);
      for (const write of this.#removed) if (!isThere.has(write)) this.#removed.delete(write);
    });
    return [...before].flatMap((write) => this.#byWrite.get(write) ?? []);
  }

  /** What was set aside. */
  async aside(): Promise<SetAside[]> {
    await this.#writing;
    return (await this.storage.list(ASIDE)).map(([key, kept]) => {
      try {
        const { text, error } = this.json.parse(kept) as { text: string; error?: { code: string; message: string } };
        return { key, text, entry: parseEntry(text, this.json), ...(error && { error }) };
      } catch {
        return { key, text: kept, entry: undefined };
      }
    });
  }

  /** Forget what was set aside. */
  async discard(aside: SetAside): Promise<void> {
    await this.storage.write(new Map([[aside.key, null]]));
  }

  async #setAside(key: string, text: string): Promise<void> {
    const aside = ASIDE + key.slice(QUEUE.length);
    await this.storage.write(new Map([[key, null], [aside, this.json.stringify({ text })]]));
    this.trouble({ type: "write_corrupt", text });
  }

  async #moveBehind(write: string): Promise<void> {
    for (const [key] of await this.storage.list(QUEUE)) this.#last = Math.max(this.#last, Number(key.slice(QUEUE.length)) || 0);
    let isFrom = false;
    for (const entry of [...this.#entries]) {
      isFrom ||= entry.write === write;
      if (isFrom && !this.#kept.has(entry.write)) this.#put({ ...entry, seq: ++this.#last });
    }
  }

  #put(entry: Entry): void {
    this.#take(entry.write);
    this.#byWrite.set(entry.write, entry);
    // Nearly always it is the last.
    let place = this.#entries.length;
    while (place > 0 && this.#entries[place - 1]!.seq > entry.seq) place--;
    this.#entries.splice(place, 0, entry);
    for (const { id } of entry.edits) {
      const record = `${entry.model}:${id}`;
      this.#byRecord.set(record, (this.#byRecord.get(record) ?? new Set()).add(entry.write));
    }
    this.#tell(entry);
  }

  #forget(write: string): Entry | undefined {
    const entry = this.#take(write);
    if (!entry) return undefined;
    this.#removed.add(write);
    this.#tell(entry);
    return entry;
  }

  #take(write: string): Entry | undefined {
    const entry = this.#byWrite.get(write);
    if (!entry) return undefined;
    this.#byWrite.delete(write);
    this.#entries.splice(this.#entries.indexOf(entry), 1);
    for (const { id } of entry.edits) {
      const record = `${entry.model}:${id}`;
      const writes = this.#byRecord.get(record);
      writes?.delete(write);
      if (writes?.size === 0) this.#byRecord.delete(record);
    }
    return entry;
  }

  #tell({ model, edits }: Entry): void {
    const ids = new Set(edits.map(({ id }) => id));
    for (const watcher of [...this.#watchers]) watcher(model, ids);
  }

  /** Behind everything that is under way. What fails is told. */
  #later(work: () => Promise<unknown>): Promise<void> {
    const done = this.#writing.then(work).then(
      () => {},
      (error: Error) => this.trouble({ type: "storage", error }),
    );
    this.#writing = done;
    return done;
  }
}

/** Keys are in the order of the writes. */
function keyOf({ seq }: Entry): string {
  return QUEUE + String(seq).padStart(16, "0");
}
