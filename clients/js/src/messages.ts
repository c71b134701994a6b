/** The messages of the wire, as this side reads and writes them. Members that are not known are ignored. */

import type { ErrorObject } from "./errors.js";

/** A record of which nothing is known but what every record has. */
export type AnyRecord = { readonly id: string; readonly [name: string]: unknown };

/** A record as the server has it: its members, its id, and the revision at which it last changed. */
export type Stored<T> = T & {
  readonly id: string;
  readonly _rev?: number;
  readonly _lastChange?: number;
};

/** A record as it is written: members that are not given stay as they are. Without `id` the server makes one. */
export type Draft<T> = Partial<T> & { readonly id?: string | number; readonly _rev?: number | null; readonly _lastChange?: number | null };

/** What is deleted: an id, or an object that has one; its `_rev` and `_lastChange` are heeded. */
export type Doomed = string | number | { readonly id: string | number; readonly _rev?: number | null; readonly _lastChange?: number | null };

/** A filter: see `where` in the protocol. */
export type Where = { readonly [member: string]: unknown };

/** Who wins where a record is not as its writer knew it. */
export type Policy = "client-wins" | "server-wins" | "latest-wins" | "merge";

/** How a write is done. */
export interface WriteOptions {
  /** The record takes the place of the stored one, and what is not given goes. */
  replace?: boolean;
  policy?: Policy;
  /** The revision of the record that a single edit was made from; goes before `_rev`. */
  base?: number;
  /** Under `merge`: whose value stays where both changed the same. */
  prefer?: "client" | "server";
}

/** One of the writes of a batch, which is done as a whole or not at all. */
export interface BatchEntry {
  /** `Model:upsert` or `Model:delete`. */
  event: string;
  data: unknown;
  options?: WriteOptions;
}

/** What the server answers. */
export interface Reply<D = unknown> {
  readonly data: D;
  /** The place in the model's history, where the reply has one. */
  readonly position?: string;
  /** Of a query with `where`: the name of the filter. */
  readonly filter?: string;
  /** Of a query with `since`: the ids of what is gone, or `reset` where `data` is everything. */
  readonly deleted?: readonly string[];
  readonly reset?: boolean;
  /** Of a read of a bounded model: the largest number of records that it keeps. */
  readonly max_records?: number;
  /** Of a read of which `limit` cut off more: to be given as its `after` to go on. `null`: what is sorted by is too long for that. */
  readonly next?: string | null;
  /** Of a query with `populate`: the positions of the models that were looked into. */
  readonly positions?: { readonly [model: string]: string };
}

/** What the server tells by itself. */
export interface Push {
  readonly event: string;
  readonly data: unknown;
  readonly position?: string;
  readonly filter?: string;
  readonly left?: boolean;
  readonly max_records?: number;
}

/** Any message of the server. */
export type Message = Reply & Push & { readonly id?: string | number | null; readonly error?: ErrorObject | null };

/** What `$session:open` answers. */
export interface SessionInfo {
  readonly session: string;
  readonly node: string;
  readonly protocol: number;
  /** Milliseconds. */
  readonly heartbeat: number;
}

/** How messages become text and come from it. `JSON` is one, which rounds numbers beyond 2^53. */
export interface Json {
  parse(text: string): unknown;
  stringify(value: unknown): string;
}

/** The text of a request; with the same arguments it is the same. */
export function encodeRequest(json: Json, id: string | number, event: string, data?: unknown, options?: object): string {
  const hasOptions = options !== undefined && Object.keys(options).length > 0;
  return json.stringify({ id, event, ...(data === undefined ? {} : { data }), ...(hasOptions ? { options } : {}) });
}
