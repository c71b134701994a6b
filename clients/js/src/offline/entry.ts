/** A write that waits: what it is, what it does to a record meanwhile, and what is said of it to the server. Pure. */

import { equal } from "../equal.js";
import { encodeRequest, type AnyRecord, type Json, type Policy } from "../messages.js";

/** What is written: members by their names. */
export type Members = { readonly [name: string]: unknown };

/** One record of a write. */
export interface Edit {
  /** The record's id. */
  readonly id: string;
  /** What is set; of a deletion nothing. */
  readonly set: Members;
  /** The revision of the record that this was made from; none where the server had none. */
  readonly base?: number;
  /** What the writer saw in the places that it writes to, all of it where it writes everything. */
  readonly seen?: Members;
}

/** A write, until the server has answered it. */
export interface Entry {
  /** Its place among all. */
  readonly seq: number;
  /** What it is called here, for good. */
  readonly write: string;
  /** What the request is called; another one where the write was made anew after a conflict. */
  readonly id: string;
  /** The name of the model. */
  readonly model: string;
  /** Whether records are written or deleted. */
  readonly method: "upsert" | "delete";
  /** One for each record. */
  readonly edits: readonly Edit[];
  /** Whether it was written as an array. */
  readonly isArray: boolean;
  /** As of `WriteOptions`. */
  readonly replace?: boolean;
  /** Who wins, where that was said; `merge` where a function decides. */
  readonly policy?: Policy;
  /** As of `WriteOptions`. */
  readonly prefer?: "client" | "server";
  /** When it was made, in milliseconds since 1970. */
  readonly at: number;
  /** What was said to the server, once it was: it is only ever repeated in these words. */
  readonly text?: string;
}

/** What the record with this id is when the write is done, as far as we know: `undefined` where it is gone or not there. */
export function applied<T extends AnyRecord>(entry: Entry, id: string, record: T | undefined): T | undefined {
  for (const edit of entry.edits) {
    if (edit.id !== id) continue;
    if (entry.method === "delete") return undefined;
    const kept = entry.replace ? {} : record;
    const meta = record && "_rev" in record ? { _rev: record["_rev"] } : {};
    record = { ...kept, ...edit.set, id, ...meta } as unknown as T;
  }
  return record;
}

/** The outermost members that are the writer's own. */
export function own(record: Members | undefined): Members {
  return Object.fromEntries(Object.entries(record ?? {}).filter(([name]) => name !== "id" && !name.startsWith("_")));
}

/** What somebody who writes this sees where it goes. */
export function seenBy(entry: Pick<Entry, "method" | "replace">, set: Members, record: Members | undefined): Members {
  const all = own(record);
  if (entry.method === "delete" || entry.replace) return all;
  return Object.fromEntries(Object.entries(all).filter(([name]) => name in set));
}

/**
 * The entry behind one that was done, which made `record` of the one with this id (`null`: nothing). It is an edit of that where the
 * server made of it what its writer saw; otherwise somebody else came between, and it is for the server to say.
 */
export function behind(entry: Entry, id: string, record: AnyRecord | null): Entry {
  const edits = entry.edits.map((edit): Edit => {
    if (edit.id !== id) return edit;
    const expected = record === null ? {} : seenBy(entry, edit.set, record);
    if (!equal(edit.seen ?? {}, expected)) return edit;
    const { base: _, ...rest } = edit;
    const revision = record?.["_rev"];
    return typeof revision === "number" ? { ...rest, base: revision } : rest;
  });
  return { ...entry, edits };
}

/** The words for it. Who made it, when and from what goes with each record. */
export function textOf(entry: Entry, json: Json): string {
  const data = entry.edits.map(({ id, set, base }) => ({ id, ...own(set), ...(base !== undefined && { _rev: base }), _lastChange: entry.at }));
  const { replace, policy, prefer } = entry;
  const options = { ...(replace && { replace }), ...(policy && { policy }), ...(prefer && { prefer }) };
  return encodeRequest(json, entry.id, `${entry.model}:${entry.method}`, entry.isArray ? data : data[0], options);
}

/** Read an entry that was kept; `undefined` for what is none. */
export function parseEntry(text: string, json: Json): Entry | undefined {
  try {
    const entry = json.parse(text) as Entry;
    const isEntry =
      Number.isSafeInteger(entry.seq) &&
      typeof entry.write === "string" &&
      typeof entry.id === "string" &&
      typeof entry.model === "string" &&
      ["upsert", "delete"].includes(entry.method) &&
      entry.edits.every((edit) => typeof edit.id === "string" && typeof edit.set === "object" && edit.set !== null) &&
      (entry.text === undefined || typeof entry.text === "string");
    return isEntry ? entry : undefined;
  } catch {
    return undefined;
  }
}
