/**
 * A collection's records in the storage, with the position that they are of, so that a page shows them at once and asks only for what
 * changed since.
 *
 * Of the tabs that have the same collection one writes. Records and position are written in one step, and on the condition that nobody
 * else wrote meanwhile, so what is there is of one moment, or a little ahead of its position, never behind.
 */

import type { Change } from "../contents.js";
import type { Copy, Listening } from "../listening.js";
import type { Json, Stored } from "../messages.js";
import type { OfflineStorage, StorageError } from "./storage.js";
import type { Trouble } from "./trouble.js";

const CACHE = "cache:";
const USED = "used:";

/** What a cache needs. */
export interface CacheHost {
  readonly storage: OfflineStorage;
  readonly json: Json;
  /** So many records of a collection are kept; one that has more is not kept at all. */
  readonly limit: number;
  trouble(trouble: Trouble): void;
  /** Wait to be the tab that writes; the function returned ends that. */
  lead(leads: () => void, lost: () => void): () => void;
}

interface Meta {
  readonly position: string;
  readonly count: number;
  /** So that no two are the same text. */
  readonly stamp: string;
}

interface Kept<T> {
  /** The record's place in the order. */
  readonly at: number;
  readonly record: Stored<T>;
}

/** Names do not end within each other: what a key is made of has no colon. */
const prefixOf = (key: string): string => `${CACHE}${encodeURIComponent(key)}:`;
const usedOf = (key: string): string => USED + encodeURIComponent(key);

export class Cache<T> {
  #prefix: string;
  /** What stands in the storage as far as we know. */
  #meta: string | undefined;
  #position: string | undefined;
  #places = new Map<string, number>();
  #next = 0;
  #dirty = new Set<string>();
  /** Nothing of what is there is to be relied on. */
  #isAnew = false;
  #base: Listening<never> | undefined;
  #isLeading = false;
  #writing: Promise<void> | undefined;
  #isOff = false;
  #isForbidden = false;
  #endLead: (() => void) | undefined;

  constructor(
    private readonly key: string,
    private readonly model: string,
    private readonly host: CacheHost,
  ) {
    this.#prefix = prefixOf(key);
  }

  /** What was kept. What is not as it was written is dropped. */
  async load(): Promise<Copy<T> | undefined> {
    const { storage, json } = this.host;
    try {
      const stored = await storage.list(this.#prefix);
      if (stored.length === 0) return undefined;
      const copy = this.#read(stored, json);
      if (copy) {
        await storage.write(new Map([[usedOf(this.key), String(Date.now())]]));
        return copy;
      }
      await storage.write(new Map(stored.map(([key]) => [key, null])));
      this.host.trouble({ type: "cache_corrupt", model: this.model });
    } catch (error) {
      this.host.trouble({ type: "storage", error: error as StorageError });
    }
    this.#meta = undefined;
    this.#position = undefined;
    this.#places.clear();
    return undefined;
  }

  /** Keep what this has from now on. */
  follow(base: Listening<T>): void {
    this.#base = base as unknown as Listening<never>;
    this.#endLead = this.host.lead(
      () => {
        this.#isLeading = true;
        this.#look();
      },
      () => (this.#isLeading = false),
    );
  }

  /** These changes are in `base` already. */
  heard(base: Listening<T>, changes: readonly Change<Stored<T>>[]): void {
    this.#base = base as unknown as Listening<never>;
    for (const change of changes) {
      if (change.type === "reset") this.#isAnew = true;
      else if (change.type !== "state") this.#dirty.add(change.id);
      // What we may not see any more is not to be seen here either.
      else if (change.state === "failed") this.#isForbidden = true;
      else if (change.state === "live") this.#isForbidden = false;
    }
    this.#look();
  }

  /** Write no more; resolves when nothing is under way. */
  async close(): Promise<void> {
    this.#isOff = true;
    this.#endLead?.();
    await this.#writing;
  }

  #read(stored: readonly [string, string][], json: Json): Copy<T> | undefined {
    try {
      const kept: Kept<T>[] = [];
      for (const [key, text] of stored) {
        if (key === `${this.#prefix}meta`) this.#meta = text;
        else kept.push(json.parse(text) as Kept<T>);
      }
      kept.sort((a, b) => a.at - b.at);
      for (const { at, record } of kept) {
        if (typeof record.id !== "string" || !Number.isSafeInteger(at)) return undefined;
        this.#places.set(record.id, at);
        this.#next = Math.max(this.#next, at + 1);
      }
      const { position, count } = json.parse(this.#meta!) as Meta;
      if (typeof position !== "string" || count !== kept.length) return undefined;
      this.#position = position;
      return { position, records: kept.map(({ record }) => record) };
    } catch {
      return undefined;
    }
  }

  /** One at a time; what is heard meanwhile is written behind it. */
  #look(): void {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
      if (this.#isDue()) this.#look();
    });
  }

  async #write(): Promise<void> {
    try {
      while (this.#isDue()) {
        if (this.#isForbidden) await this.#forget();
        else if (this.#base!.records.size > this.host.limit) await this.#tooLarge();
        else if (!(await this.#step())) await this.#lookAgain();
      }
    } catch (error) {
      // It is read from the server the next time.
      this.#isOff = true;
      this.host.trouble({ type: "storage", error: error as StorageError });
    }
  }

  #isDue(): boolean {
    if (!this.#isLeading || this.#isOff) return false;
    if (this.#isForbidden) return this.#meta !== undefined;
    const position = this.#base?.position;
    return position !== undefined && (this.#isAnew || this.#dirty.size > 0 || this.#position !== position);
  }

  async #step(): Promise<boolean> {
    const { storage, json } = this.host;
    const changes = new Map<string, string | null>();
    if (this.#isAnew || this.#meta === undefined) {
      for (const [key] of await storage.list(this.#prefix)) changes.set(key, null);
      this.#places.clear();
      this.#isAnew = false;
      this.#dirty = new Set(this.#base!.records.keys());
    }
    const base = this.#base as unknown as Listening<T>;
    for (const id of this.#dirty) {
      const record = base.records.get(id);
      if (record) {
        const at = this.#places.get(id) ?? this.#next++;
        this.#places.set(id, at);
        changes.set(this.#prefix + id, json.stringify({ at, record } satisfies Kept<T>));
      } else {
        this.#places.delete(id);
        changes.set(this.#prefix + id, null);
      }
    }
    this.#dirty.clear();
    const stamp = Math.random().toString(36).slice(2);
    const position = base.position!;
    const meta = json.stringify({ position, count: this.#places.size, stamp } satisfies Meta);
    changes.set(`${this.#prefix}meta`, meta).set(usedOf(this.key), String(Date.now()));
    const isDone = await this.#withRoom(changes);
    if (isDone) {
      this.#meta = meta;
      this.#position = position;
    }
    return isDone;
  }

  /** Where there is no room, the collections that were not used for longest go. */
  async #withRoom(changes: Map<string, string | null>): Promise<boolean> {
    for (;;) {
      try {
        return await this.host.storage.write(changes, { key: `${this.#prefix}meta`, text: this.#meta });
      } catch (error) {
        const isFull = (error as StorageError).code === "full";
        if (!isFull || !(await dropOldest(this.host.storage, usedOf(this.key)))) throw error;
      }
    }
  }

  /** Somebody else wrote: it is written anew as it is here. */
  async #lookAgain(): Promise<void> {
    const stored = await this.host.storage.list(`${this.#prefix}meta`);
    this.#meta = stored[0]?.[1];
    this.#isAnew = true;
  }

  async #tooLarge(): Promise<void> {
    this.#isOff = true;
    this.host.trouble({ type: "cache_too_large", model: this.model, records: this.#base!.records.size });
    await this.#forget();
  }

  async #forget(): Promise<void> {
    await drop(this.host.storage, usedOf(this.key));
    this.#meta = undefined;
    this.#isAnew = true;
  }
}

/** Drop what was not used since `before`, in milliseconds since 1970. */
export async function dropUnused(storage: OfflineStorage, before: number): Promise<void> {
  for (const [used, when] of await storage.list(USED)) if (!(Number(when) >= before)) await drop(storage, used);
}

/** Drop the one that was not used for longest, but for this one; whether there was one. */
async function dropOldest(storage: OfflineStorage, but: string): Promise<boolean> {
  const others = (await storage.list(USED)).filter(([used]) => used !== but);
  const [oldest] = others.sort(([, a], [, b]) => Number(a) - Number(b));
  if (oldest) await drop(storage, oldest[0]);
  return oldest !== undefined;
}

async function drop(storage: OfflineStorage, used: string): Promise<void> {
  const stored = await storage.list(`${CACHE}${used.slice(USED.length)}:`);
  await storage.write(new Map([[used, null], ...stored.map(([key]): [string, null] => [key, null])]));
}
