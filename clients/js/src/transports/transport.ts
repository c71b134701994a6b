/** The seam between the client and the ways to a server. */

import type { Address } from "../address.js";

/** What a transport tells. `closed` comes once, and is the last. */
export interface TransportEvents {
  /** Messages can be sent. */
  opened(): void;
  /** A message of the server came, as its text. */
  message(text: string): void;
  /** Something else came, by which the server is known to be there. */
  heard(): void;
  /** The connection is over, or did not come about. `code` is that of the server's close, where it gave one. */
  closed(code?: number): void;
}

/** A connection, or one that is coming about. */
export interface Link {
  /** Send a message, behind all that were sent before. To be called between `opened` and `closed`. */
  send(text: string): void;
  /** End it. No event comes any more. */
  close(): void;
}

/** A way to a server: one of your own is given to `connect(url, { transports: [mine] })`. */
export interface Transport {
  /** What it is called, for people. */
  readonly name: string;
  /**
   * Begin to connect. Events come later, never from within this call. `address` has the server's URL for HTTP and for WebSocket, as
   * `http` and `ws`, neither of which ends with a slash; and as `query` what stands behind them, with its `?`, or nothing.
   */
  open(address: Address, events: TransportEvents): Link;
}
