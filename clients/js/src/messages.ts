/** The messages of the wire, as this side reads and writes them. Members that are not known are ignored. */

import type { ErrorObject } from "./errors.js";

/** A record of which nothing is known but what every record has. */
export type AnyRecord = {
  /** Its id: text always. */
  readonly id: string;
  readonly [name: string]: unknown;
};

/** A record as the server has it: its members, its id, and the revision at which it last changed. */
export type Stored<T> = T & {
  /** Its id: text always, also where a number was written. */
  readonly id: string;
  /** The revision of the model at which it last changed. A write that bears it says what it was made from. */
  readonly _rev?: number;
  /** When it was last edited, in milliseconds since 1970: of records that were written under `latest-wins`. */
  readonly _lastChange?: number;
};

/**
 * A record as it is written: members that are not given stay as they are. Without `id` the server makes one. `_rev` is the revision that
 * the edit was made from, `_lastChange` when it was made, in milliseconds since 1970; what they decide is said by the {@link Policy}.
 */
export type Draft<T> = Partial<T> & { readonly id?: string | number; readonly _rev?: number | null; readonly _lastChange?: number | null };

/** What is deleted: an id, or an object that has one; its `_rev` and `_lastChange` are heeded. */
export type Doomed = string | number | { readonly id: string | number; readonly _rev?: number | null; readonly _lastChange?: number | null };

/**
 * A filter of the protocol, all of whose members have to hold: paths with the values that are to be there, or with operators.
 *
 * ```js
 * { done: false, "owner.city": "Bonn", priority: { $gte: 2 }, $or: [{ title: { $prefix: "re" } }, { tags: { $contains: "home" } }] }
 * ```
 *
 * Operators are `$eq`, `$ne`, `$in`, `$nin`, `$gt`, `$gte`, `$lt`, `$lte`, `$exists`, `$prefix`, `$contains` and `$not`; filters are
 * joined by `$and`, `$or` and `$not`. What is none is refused with `invalid_filter`.
 */
export type Where = { readonly [member: string]: unknown };

/**
 * Who wins where a record was changed by others since its writer knew it, which is said by the write's `base` or `_rev`:
 *
 * - `client-wins`: the write is done
 * - `server-wins`: it is refused with `conflict`
 * - `merge`: both changes are kept; where both changed the same attribute, or the record is gone, it is refused with `conflict`, unless
 *   {@link WriteOptions.prefer} says whose stays
 * - `latest-wins`: the edit with the later `_lastChange` stays, whichever comes first; the other loses without an error. It asks for no
 *   base
 */
export type Policy = "client-wins" | "server-wins" | "latest-wins" | "merge";

/** How a deletion is done. */
export interface DeleteOptions {
  /** Who wins where others changed the record meanwhile. Default: what the server has for the model, or else `client-wins`. */
  policy?: Policy;
  /** The revision of the record that a single edit was made from; goes before `_rev`. */
  base?: number;
  /** Under `merge`: whose value stays where both changed the same. Default: nobody's, which is a `conflict`. */
  prefer?: "client" | "server";
}

/** How a write is done. */
export interface WriteOptions extends DeleteOptions {
  /** The record takes the place of the stored one, and what is not given goes. Default: it stays. For upserts alone. */
  replace?: boolean;
}

/** One of the writes of a batch, which is done as a whole or not at all. */
export interface BatchEntry {
  /** `Model:upsert` or `Model:delete`. */
  event: string;
  /** What the method takes: a record, or an array of them. */
  data: unknown;
  /** How this one is done. */
  options?: WriteOptions;
}

/** What the server answers. */
export interface Reply<D = unknown> {
  /** What the method gives. */
  readonly data: D;
  /** The place in the model's history, where the reply has one. */
  readonly position?: string;
  /** Of a query with `where`: the name of the filter. */
  readonly filter?: string;
  /** Of a query with `since`: the ids of what is gone. */
  readonly deleted?: readonly string[];
  /** Of a query with `since`: `data` is everything, and takes the place of what there was. */
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
  /** `Model:upsert`, `Model:delete` or `Model:reset`; or one of the system's, as `$session:close`. */
  readonly event: string;
  /** The record as it is, or was; of a reset all of them. */
  readonly data: unknown;
  /** The place in the model's history, where it is that of a change. */
  readonly position?: string;
  /** The name of the filter that it is for; none: it is for who listens to the whole model, or to single records. */
  readonly filter?: string;
  /** Of a delete: the record is still there, and matches no more. */
  readonly left?: boolean;
  /** Of a reset of a bounded model: the largest number of records that it keeps. */
  readonly max_records?: number;
}

/** Any message of the server. */
export type Message = Reply & Push & { readonly id?: string | number | null; readonly error?: ErrorObject | null };

/** What `$session:open` answers. */
export interface SessionInfo {
  /** The name of the session, which is the same for all connections of one client. */
  readonly session: string;
  /** The name of the server's process, another one each time that it starts. */
  readonly node: string;
  /** The version of the protocol. */
  readonly protocol: number;
  /** Milliseconds between two signs of life of the server. */
  readonly heartbeat: number;
}

/** How messages become text and come from it. `JSON` is one, which rounds numbers beyond 2^53. */
export interface Json {
  /** The value of a text of JSON. What is none has to be thrown. */
  parse(text: string): unknown;
  /** The text of a value: without what is `undefined`, as `JSON.stringify` does it, and for the same value the same each time. */
  stringify(value: unknown): string;
}

/** The text of a request, for {@link Client.repeat}; with the same arguments it is the same. */
export function encodeRequest(json: Json, id: string | number, event: string, data?: unknown, options?: object): string {
  const hasOptions = options !== undefined && Object.keys(options).length > 0;
  return json.stringify({ id, event, ...(data === undefined ? {} : { data }), ...(hasOptions ? { options } : {}) });
}
