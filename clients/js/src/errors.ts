/** What may go wrong, told in one way: by the server, or by this client. */

import type { AnyRecord } from "./messages.js";

/**
 * The codes that this client adds to those of the protocol:
 *
 * - `closed`: the client was closed, or the server ended the session for good
 * - `timeout`: no reply within the time given
 * - `message_too_large`: the server closed the connection because of this request's size
 * - `no_token`: the function that gives the token failed
 */
export type ClientCode = "closed" | "timeout" | "message_too_large" | "no_token";

/** The error object of the protocol. */
export interface ErrorObject {
  /** For programs: a code of the protocol. */
  code: string;
  /** For people: what was wrong, and what would be right. */
  message: string;
  /** Whether the same request may succeed later without anybody changing it. */
  retry?: boolean;
  /** Of a `conflict`: the record as it is, `null` where it was deleted. */
  record?: AnyRecord | null;
  /** Of a `conflict` under the policy `merge`: the attributes that both sides changed. */
  properties?: string[];
  /** Which element of an array, or entry of a batch, was wrong or was refused, counted from 0. */
  element?: number;
  /** Of an error that no reply could tell: the event of the message. */
  event?: string;
}

/**
 * A request was refused, or could not be carried out.
 *
 * ```js
 * try {
 *   await client.upsert("Page", { id: "p1", text: "…", _rev: 3 }, { policy: "merge" });
 * } catch (error) {
 *   if (error.code === "conflict") showBoth(error.record, error.properties);
 *   else throw error;
 * }
 * ```
 *
 * The codes of the protocol that a program may have to do with: `conflict`, `forbidden`, `not_found`, `limit_exceeded`, and for what
 * it said wrongly `invalid_data`, `invalid_filter`, `invalid_options`, `unknown_member` and the like. Those with `retry`, as `store_full`
 * and `store_unavailable`, do not come from requests of a client, which are sent again until they are done.
 */
export class BacksyncError extends Error {
  /** By which it is told where `instanceof` does not reach, as between two bundles. */
  override readonly name = "BacksyncError";
  /** For programs: a code of the protocol, or one of {@link ClientCode}. */
  readonly code: ClientCode | (string & {});
  /** Whether the same request may succeed later without anybody changing it. */
  readonly retry: boolean;
  /** Of a `conflict`: the record as it is, `null` where it was deleted. */
  readonly record: AnyRecord | null | undefined;
  /** Of a `conflict` under the policy `merge`: the attributes that both sides changed. */
  readonly properties: readonly string[] | undefined;
  /** Which element of an array, or entry of a batch, was wrong or was refused, counted from 0. */
  readonly element: number | undefined;
  /** Of an error that no reply could tell: the event of the message. */
  readonly event: string | undefined;

  /** Of an error object of the protocol. `options`: a `cause`, as every `Error` may have one. */
  constructor(error: ErrorObject, options?: ErrorOptions) {
    super(error.message, options);
    this.code = error.code;
    this.retry = error.retry ?? false;
    this.record = error.record;
    this.properties = error.properties;
    this.element = error.element;
    this.event = error.event;
  }

  /** An error of this client's own. */
  static of(code: ClientCode, message: string, cause?: unknown): BacksyncError {
    return new BacksyncError({ code, message }, cause === undefined ? undefined : { cause });
  }
}
