/**
 * Sends the writes that wait, in their order, while this tab leads. Of one record's writes the next is only said when the one before
 * is answered, as it is made from what became of that. Everything else goes without waiting.
 */

import type { Client } from "../client.js";
import { BacksyncError } from "../errors.js";
import type { AnyRecord, Reply } from "../messages.js";
import { randomName } from "../naming.js";
import { behind, own, textOf, type Edit, type Entry, type Members } from "./entry.js";
import type { Queue } from "./queue.js";

/** Two sides changed a record, and the policy leaves it to the application. */
export interface Conflict {
  /** The name of the model. */
  readonly model: string;
  /** The record's id. */
  readonly id: string;
  /** What was to be written; `null`: the record was to be deleted. */
  readonly local: Members | null;
  /** The record as it is on the server; `null` where it is gone. */
  readonly remote: AnyRecord | null;
  /** The attributes that both sides changed, where that is known. */
  readonly properties: readonly string[];
}

/**
 * Decides a conflict. Where it throws, the write is refused, and set aside.
 *
 * ```js
 * const both = ({ local, remote }) => ({ ...local, text: `${remote?.text ?? ""}\n${local?.text ?? ""}` });
 * ```
 */
export type Resolve = (conflict: Conflict) => Resolution | Promise<Resolution>;
/** What becomes of a conflict: what to write, `null` to delete, `undefined` to leave the record as it is on the server. */
export type Resolution = object | null | undefined;

/** What a sender tells. */
export interface SenderEvents {
  /** The server has answered. */
  answered(entry: Entry, data: unknown): void;
  /** The server has refused, or the application has left it at that. */
  refused(entry: Entry, error: BacksyncError): void;
}

/** So many are under way at the most. */
const UNDER_WAY = 64;

export class Sender {
  #underWay = new Set<string>();
  #isLeading = false;
  #isLooking = false;
  #again = false;

  constructor(
    private readonly client: Client,
    private readonly queue: Queue,
    private readonly resolve: (model: string) => Resolve | undefined,
    private readonly events: SenderEvents,
  ) {}

  lead(isLeading: boolean): void {
    this.#isLeading = isLeading;
    this.look();
  }

  /** There may be something to send, or somebody to send it to. */
  look(): void {
    this.#again = true;
    if (!this.#isLooking) void this.#look();
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    while (this.#again && this.#isLeading && this.client.state === "open") {
      this.#again = false;
      // What is said to the server is kept first: after a crash it has to be said in the same words.
      this.queue.change(this.#ready().filter(({ text }) => text === undefined).map((entry) => ({ ...entry, text: textOf(entry, this.client.json) })));
      await this.queue.kept();
      if (!this.#isLeading) break;
      for (const entry of this.#ready()) if (entry.text !== undefined) this.#send(entry, entry.text);
    }
    this.#isLooking = false;
  }

  /** Those that may be said now. The order of what is said is that of the queue: nobody overtakes one that has to wait. */
  #ready(): Entry[] {
    const ready: Entry[] = [];
    const busy = new Set<string>();
    for (const entry of this.queue.entries) {
      const records = entry.edits.map(({ id }) => `${entry.model}:${id}`);
      const isUnderWay = this.#underWay.has(entry.write);
      if (!isUnderWay && (records.some((record) => busy.has(record)) || busy.size >= UNDER_WAY)) break;
      for (const record of records) busy.add(record);
      if (!isUnderWay) ready.push(entry);
    }
    return ready;
  }

  #send(entry: Entry, text: string): void {
    this.#underWay.add(entry.write);
    const over = (): void => void this.#underWay.delete(entry.write);
    this.client.repeat(entry.id, text).then(
      (reply) => {
        over();
        this.#answered(entry, reply);
        this.look();
      },
      async (error: BacksyncError) => {
        // It waits for another time.
        if (error.code === "closed") return over();
        await this.#refused(entry, error);
        over();
        this.look();
      },
    );
  }

  #answered(entry: Entry, { data }: Reply): void {
    const records = [data].flat() as (AnyRecord | null | undefined)[];
    const later = new Map<string, Entry>();
    entry.edits.forEach(({ id }, at) => {
      const record = records[at];
      for (const next of this.queue.of(entry.model, id)) {
        if (next.seq > entry.seq && next.text === undefined) {
          later.set(next.write, behind(later.get(next.write) ?? next, id, record && "id" in record ? record : null));
        }
      }
    });
    if (later.size > 0) this.queue.change([...later.values()]);
    this.queue.remove(entry);
    this.events.answered(entry, data);
  }

  async #refused(entry: Entry, error: BacksyncError): Promise<void> {
    const resolve = error.code === "conflict" ? this.resolve(entry.model) : undefined;
    const at = error.element ?? 0;
    const edit = entry.edits[at];
    if (!resolve || !edit) return this.#setAside(entry, error);
    const { record: remote = null, properties = [] } = error;
    let resolution: Resolution;
    try {
      const local = entry.method === "delete" ? null : edit.set;
      resolution = await resolve({ model: entry.model, id: edit.id, local, remote, properties });
    } catch (cause) {
      return this.#setAside(entry, new BacksyncError({ code: error.code, message: `the conflict was not resolved: ${String(cause)}` }, { cause }));
    }
    if (resolution === undefined) return this.#setAside(entry, error);
    const method = resolution === null ? "delete" : "upsert";
    // The others of a batch are written as it was meant, or not at all.
    if (entry.edits.length > 1 && method !== entry.method) return this.#setAside(entry, error);
    const base = remote?.["_rev"];
    const set = own((resolution ?? {}) as Members);
    const resolved: Edit = { id: edit.id, set, seen: own(remote ?? {}), ...(typeof base === "number" && { base }) };
    const { text: _, ...rest } = entry;
    this.queue.change([{ ...rest, id: randomName(), method, edits: entry.edits.map((one, place) => (place === at ? resolved : one)) }]);
  }

  #setAside(entry: Entry, error: BacksyncError): void {
    this.queue.remove(entry, { code: error.code, message: error.message });
    this.events.refused(entry, error);
  }
}
