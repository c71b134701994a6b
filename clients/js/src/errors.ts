/** What may go wrong, told in one way: by the server, or by this client. */

import type { AnyRecord } from "./messages.js";

/**
 * The codes that this client adds to those of the server:
 *
 * - `closed`: the client was closed, or the server ended the session for good
 * - `timeout`: no reply within the time given
 * - `message_too_large`: the server closed the connection because of this request's size
 * - `no_token`: the function that gives the token failed
 */
export type ClientCode = "closed" | "timeout" | "message_too_large" | "no_token";

/** The error object of the protocol. */
export interface ErrorObject {
  code: string;
  message: string;
  retry?: boolean;
  record?: AnyRecord | null;
  properties?: string[];
  element?: number;
  event?: string;
}

/** A request was refused, or could not be carried out. */
export class BacksyncError extends Error {
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
