/** A client that goes on without a connection: collections that are kept, and writes that wait. */

import { connect, type Client, type ConnectOptions } from "../client.js";
import { Collection, type CollectionOptions } from "../collection.js";
import { criteriaKey, type Criteria } from "../criteria.js";
import { equal } from "../equal.js";
import { BacksyncError } from "../errors.js";
import { Emitter } from "../events.js";
import type { Patience } from "../ledger.js";
import type { AnyRecord, Policy } from "../messages.js";
import { checkName, randomName } from "../naming.js";
import { Cache, dropUnused } from "./cache.js";
import { own, type Entry, type Members } from "./entry.js";
import { lead, type Locks } from "./lead.js";
import { Overlay, type NewWrite } from "./overlay.js";
import { Queue, type SetAside } from "./queue.js";
import { Sender, type Resolve } from "./sender.js";
import { StorageError, type OfflineStorage } from "./storage.js";
import { tabsOf, type Tabs, type Word } from "./tabs.js";
import type { Trouble } from "./trouble.js";

/** How to go on without a connection, beside how to connect. The client's name is kept in the storage, so it cannot be chosen. */
export interface OfflineOptions extends Omit<ConnectOptions, "name"> {
  /** Where records and writes are kept. */
  storage: OfflineStorage;
  /**
   * Who wins where a record was changed by others since it was edited here: a policy of the protocol, or a function that decides each
   * conflict (what only one side changed is merged without asking). Default: what the server has for the model.
   */
  policy?: Policy | Resolve;
  /** The same for single models. */
  policies?: { readonly [model: string]: Policy | Resolve };
  /** A collection with more records is not kept. Default: 10,000. */
  cacheRecords?: number;
  /** A collection that was not used for so long is dropped, in milliseconds. Default: 30 days. */
  cacheAge?: number;
  /** In the place of the platform's Web Locks; `null`: go without, by leases in the storage. */
  locks?: Locks | null;
}

/** What a client that goes on offline tells by {@link OfflineClient.on}: the names of the events, and what their handlers get. */
export type OfflineEvents = {
  /** So many writes wait for the server. */
  pending: [count: number];
  /** Whether the server is reached. */
  online: [isOnline: boolean];
  /**
   * The server has refused a write, or a conflict was left at that. What it did is taken back; the write is set aside. In tabs that
   * did not send it the error has its `code` and `message` alone.
   */
  refused: [write: Entry, error: BacksyncError];
  /** The server has preferred what it has to a write: to the one with this id and these values. */
  overruled: [write: { readonly model: string; readonly id: string; readonly local: Members | null; readonly remote: AnyRecord | null }];
  /** Something is wrong with what is kept. */
  trouble: [trouble: Trouble];
};

/** As it is when nothing else is said. */
const CACHE_RECORDS = 10_000;
const CACHE_AGE = 30 * 24 * 3600 * 1000;

/** Where the name that all tabs share is kept. */
const NAME = "name:";

/**
 * Open what is kept, and connect. Writes of earlier visits are sent as soon as there is a connection.
 *
 * ```js
 * const offline = await openOffline("https://example.com", { storage: indexedDb("notes-of-ada"), policy: "merge" });
 * const notes = offline.collection("Note");
 * await notes.ready;                               // what was kept, also without a connection
 * notes.upsert({ text: "written on a train" });    // seen at once, and sent when there is a connection
 * offline.on("refused", (write, error) => console.warn(write.model, error.code));
 * ```
 *
 * @throws StorageError where the storage does not work at all
 * @throws TypeError as `connect` does
 */
export async function openOffline(url: string | URL, options: OfflineOptions): Promise<OfflineClient> {
  const { storage, policy, policies, cacheRecords, cacheAge = CACHE_AGE, locks, ...connecting } = options;
  await dropUnused(storage, Date.now() - cacheAge);
  const name = await nameIn(storage);
  const client = connect(url, { ...connecting, name });
  const offline = new OfflineClient(client, options);
  await offline.begin();
  return offline;
}

/** The server knows writes by the client's name: it has to be the same when they are repeated. */
async function nameIn(storage: OfflineStorage): Promise<string> {
  for (;;) {
    const [, text] = (await storage.list(NAME))[0] ?? [];
    try {
      if (text !== undefined) return checkName(text);
    } catch {
      // It is not what was written; what was said under it cannot be known to the server any more.
    }
    await storage.write(new Map([[NAME, randomName()]]), { key: NAME, text });
  }
}

interface Waiting {
  /** What is resolved to where nobody can tell what the server has answered. */
  present(): unknown;
  resolve(data: unknown): void;
  reject(error: unknown): void;
}

/** A client that goes on without a connection, by {@link openOffline}. */
export class OfflineClient {
  #events = new Emitter<OfflineEvents>();
  #queue: Queue;
  #sender: Sender;
  #tabs: Tabs;
  #tab = randomName();
  #overlays = new Map<string, Overlay<never>>();
  #waiting = new Map<string, Waiting>();
  #endLead: (() => void) | undefined;
  #pending = 0;
  #isClosed = false;
  /** The others are about to be told that something was written. */
  #isSaying = false;
  /** Others wrote since we last looked; and who answers may have gone without a word. */
  #isBehind = false;
  #isUntold = false;
  #isLooking = false;

  /** @internal */
  constructor(
    /** The client that it stands on, for everything that needs a connection. */
    readonly client: Client,
    private readonly options: OfflineOptions,
  ) {
    const { storage } = options;
    this.#queue = new Queue(storage, client.json, (trouble) => this.#trouble(trouble));
    this.#queue.watch(() => this.#count());
    this.#sender = new Sender(client, this.#queue, (model) => this.#resolveOf(model), {
      answered: (entry, data) => {
        this.#answered(entry, data);
        this.#say({ type: "answered", write: entry.write, data });
      },
      refused: (entry, error) => {
        const { code, message } = error;
        this.#refused(entry, error);
        this.#say({ type: "answered", write: entry.write, error: { code, message } });
      },
    });
    this.#tabs = tabsOf(storage, client.json, (word) => this.#heard(word));
    client.on("state", (state, error) => {
      this.#sender.look();
      this.#events.emit("online", state === "open");
      if (state === "closed" && error) this.close();
    });
  }

  /** Read what waits from earlier visits. @internal */
  async begin(): Promise<void> {
    await this.#queue.load();
    this.#endLead = this.#lead("queue", () => void this.#leads(), () => this.#sender.lead(false));
  }

  /** Whether the server is reached. */
  get isOnline(): boolean {
    return this.client.state === "open";
  }

  /** So many writes wait for the server. */
  get pending(): number {
    return this.#queue.entries.length;
  }

  /** Call `handler` from now on; the function returned ends that. */
  on<Name extends keyof OfflineEvents>(name: Name, handler: (...values: OfflineEvents[Name]) => void): () => void {
    return this.#events.on(name, handler);
  }

  /**
   * Records that are there at once, and stay as they are on the server when that is reached. What is written to it is seen at once; the
   * promise of a write settles when the server has answered, in this visit or never. Giving up to wait (`timeout`, `signal`) does not take
   * it back. It rejects with what the server refused it for, and with `closed` at the end of the client, behind which a write waits
   * for the next visit. Where another tab sent it, and went before it told the answer, it resolves to what the collection has of the record
   * by then, `null` where it has none.
   */
  collection<T extends object = Record<string, unknown>>(model: string, options: Criteria & CollectionOptions<T> = {}): Collection<T> {
    const key = criteriaKey(model, options, this.client.json);
    let overlay = this.#overlays.get(key) as unknown as Overlay<T> | undefined;
    if (!overlay) {
      overlay = this.#overlay<T>(key, model, options);
      this.#overlays.set(key, overlay as unknown as Overlay<never>);
    }
    return new Collection<T>(overlay, options);
  }

  /** Resolves when everything that was written is kept in the storage, or was told that it cannot be. */
  kept(): Promise<void> {
    return this.#queue.kept();
  }

  /** The writes that were refused, and those that could not be read: until somebody says what becomes of them. */
  aside(): Promise<SetAside[]> {
    return this.#queue.aside();
  }

  /**
   * Write it once more, as it was, behind all others; it is no longer set aside then.
   *
   * @throws TypeError where it could not be read, and has no `entry`
   */
  async retry(aside: SetAside): Promise<void> {
    const { entry } = aside;
    if (!entry) throw new TypeError("what was set aside is no write that could be read");
    const { text: _, seq: __, ...rest } = entry;
    this.#add({ ...rest, write: randomName(), id: randomName() });
    await this.#queue.kept();
    await this.#queue.discard(aside);
  }

  /** Forget what was set aside. */
  discard(aside: SetAside): Promise<void> {
    return this.#queue.discard(aside);
  }

  /** End the connection, and close the storage. What waits is sent at the next visit. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#endLead?.();
    this.#sender.lead(false);
    this.#tabs.close();
    this.client.close();
    for (const { reject } of this.#waiting.values()) reject(BacksyncError.of("closed", "the client is closed; the write waits for the next time"));
    this.#waiting.clear();
    const caches = [...this.#overlays.values()].map((overlay) => overlay.endCache());
    void Promise.all([this.#queue.kept(), ...caches]).then(() => this.options.storage.close());
  }

  #overlay<T extends object>(key: string, model: string, { where, ids }: Criteria): Overlay<T> {
    const { client } = this;
    const { storage, cacheRecords = CACHE_RECORDS } = this.options;
    const cache = new Cache<T>(key, model, {
      storage,
      json: client.json,
      limit: cacheRecords,
      trouble: (trouble) => this.#trouble(trouble),
      lead: (leads, lost) => this.#lead(`cache:${key}`, leads, lost),
    });
    return new Overlay<T>(model, { ...(where && { where }), ...(ids && { ids }) }, cache, {
      client,
      queue: this.#queue,
      write: (write, patience, present) => this.#write(write, patience, present),
      ended: () => void this.#overlays.delete(key),
    });
  }

  #lead(subject: string, leads: () => void, lost: () => void): () => void {
    const locks = this.options.locks === undefined ? (globalThis.navigator as Partial<Navigator> | undefined)?.locks : this.options.locks;
    const failed = (error: StorageError): void => this.#trouble({ type: "storage", error });
    return lead(this.options.storage, subject, this.#tab, { leads, lost, failed }, locks ?? undefined);
  }

  async #leads(): Promise<void> {
    // Who led before may have gone in the midst of it.
    this.#gone(await this.#queue.load(true));
    if (this.#isClosed) return;
    this.#sender.lead(true);
    this.#tabs.say({ type: "leads" });
  }

  #write(write: NewWrite, patience: Patience, present: () => unknown): Promise<unknown> {
    if (this.#isClosed) return Promise.reject(BacksyncError.of("closed", "the client is closed"));
    const { base: _, ...rest } = write;
    const policy = rest.policy ?? this.#policyOf(rest.model);
    const entry = { ...rest, ...(policy && { policy }), write: randomName(), id: randomName(), at: Date.now() };
    const answer = new Promise<unknown>((resolve, reject) => this.#waiting.set(entry.write, { resolve, reject, present }));
    // What becomes of it is told by events too.
    answer.catch(() => {});
    this.#add(entry);
    return within(answer, patience);
  }

  #add(entry: Omit<Entry, "seq">): void {
    this.#queue.add(entry);
    this.#sender.look();
    if (this.#isSaying) return;
    this.#isSaying = true;
    this.#say({ type: "written" }, () => (this.#isSaying = false));
  }

  /** When the storage has it: who hears of it may look there. */
  #say(word: Word, before?: () => void): void {
    void this.#queue.kept().then(() => {
      before?.();
      if (!this.#isClosed) this.#tabs.say(word);
    });
  }

  #policyOf(model: string): Policy | undefined {
    const policy = this.options.policies?.[model] ?? this.options.policy;
    return typeof policy === "function" ? "merge" : policy;
  }

  #resolveOf(model: string): Resolve | undefined {
    const policy = this.options.policies?.[model] ?? this.options.policy;
    return typeof policy === "function" ? policy : undefined;
  }

  #answered(entry: Entry, data: unknown): void {
    const records = [data].flat() as (AnyRecord | null | undefined)[];
    entry.edits.forEach(({ id, set }, at) => {
      const remote = records[at] ?? null;
      const isDeletion = entry.method === "delete";
      const isAsWritten = (): boolean => remote !== null && Object.entries(own(set)).every(([name, value]) => equal(remote[name], value));
      const isOverruled = isDeletion ? remote !== null && "id" in remote : !isAsWritten();
      if (isOverruled) this.#events.emit("overruled", { model: entry.model, id, local: isDeletion ? null : set, remote });
    });
    this.#waiting.get(entry.write)?.resolve(data);
    this.#waiting.delete(entry.write);
  }

  #refused(entry: Entry, error: BacksyncError): void {
    this.#events.emit("refused", entry, error);
    this.#waiting.get(entry.write)?.reject(error);
    this.#waiting.delete(entry.write);
  }

  /** Another tab says this. */
  #heard(word: Word): void {
    if (word.type !== "answered") {
      this.#isBehind = true;
      this.#isUntold ||= word.type === "leads";
      if (!this.#isLooking) void this.#look();
      return;
    }
    const entry = this.#queue.get(word.write);
    if (!entry) return;
    if (word.error) this.#refused(entry, new BacksyncError(word.error));
    else {
      for (const overlay of this.#overlays.values()) if (overlay.model === entry.model) void overlay.answeredElsewhere(entry.edits, word.data);
      this.#answered(entry, word.data);
    }
    this.#queue.removedElsewhere(word.write);
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    while (this.#isBehind) {
      const isUntold = this.#isUntold || !this.#tabs.hear;
      this.#isBehind = this.#isUntold = false;
      const gone = await this.#queue.load();
      if (isUntold) this.#gone(gone);
    }
    this.#isLooking = false;
    this.#sender.look();
  }

  /** They were answered, and nobody could tell what: the collections hear of it by themselves. */
  #gone(entries: readonly Entry[]): void {
    for (const { write } of entries) {
      this.#queue.removedElsewhere(write);
      const waiting = this.#waiting.get(write);
      waiting?.resolve(waiting.present());
      this.#waiting.delete(write);
    }
  }

  #trouble(trouble: Trouble): void {
    // Not before whoever opened it can listen.
    setTimeout(() => this.#events.emit("trouble", trouble));
  }

  #count(): void {
    if (this.pending === this.#pending) return;
    this.#pending = this.pending;
    this.#events.emit("pending", this.#pending);
  }
}

/** The same, for who does not wait for longer. */
function within<T>(answer: Promise<T>, { timeout, signal }: Patience): Promise<T> {
  if (timeout === undefined && !signal) return answer;
  return new Promise<T>((resolve, reject) => {
    const giveUp = (error: unknown): void => reject(error);
    const late = (): void => giveUp(BacksyncError.of("timeout", `no answer within ${timeout} ms; the write goes on waiting`));
    const timer = timeout === undefined ? undefined : setTimeout(late, timeout);
    const abort = (): void => giveUp(signal?.reason);
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort, { once: true });
    answer.then(resolve, reject).finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    });
  });
}
