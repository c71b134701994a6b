/**
 * The server's SockJS doors by `fetch` alone, for where no socket gets through: a streaming response that the server writes
 * messages into, or, where something on the way holds it back, one response after the other (polling); and requests with what
 * the client says. It is a session like any other: one order, replies, pushes.
 */

import type { Address } from "../address.js";
import { randomName } from "../naming.js";
import { linesOf } from "./lines.js";
import type { Link, Transport, TransportEvents } from "./transport.js";

/** The part of the platform's `fetch` that is needed. */
export type Fetch = (
  url: string,
  init: { method: string; body?: string; headers?: Record<string, string>; signal: AbortSignal },
) => Promise<Response>;

/** So many characters of messages go into one request, where there are several messages. */
const REQUEST_CHARACTERS = 500_000;

/**
 * HTTP as a way to a server, for `connect(url, { transports: [http(fetch)] })`: a response that the server writes into, or polling where
 * something on the way holds that back. `fetch` is called without `this`.
 *
 * `streamPatience`: milliseconds until the beginning of a stream is there, or something on the way is holding it back. Default: 3000.
 */
export function http(fetch: Fetch, { streamPatience = 3000 } = {}): Transport {
  // What was found out holds for later sessions too.
  let streams = true;
  return {
    name: "http",
    open: (address, events) => new Session(fetch, address, events, streams ? streamPatience : undefined, () => (streams = false)),
  };
}

class Session implements Link {
  #url = "";
  #aborting = new AbortController();
  #over = false;
  #opened = false;
  #waiting: string[] = [];
  #sending = false;

  constructor(
    private readonly fetch: Fetch,
    private readonly address: Address,
    private readonly events: TransportEvents,
    streamPatience: number | undefined,
    private readonly noStreams: () => void,
  ) {
    this.#begin();
    void this.#receive(streamPatience);
  }

  send(text: string): void {
    this.#waiting.push(text);
    if (!this.#sending) void this.#sendWaiting();
  }

  close(): void {
    this.#over = true;
    // The server takes the session for ended, as nobody knows what arrived of a response that was broken off.
    this.#aborting.abort();
  }

  #begin(): void {
    const server = String(Math.floor(Math.random() * 1000)).padStart(3, "0");
    this.#url = `${this.address.http}/sockjs/${server}/${randomName()}`;
    this.#aborting = new AbortController();
  }

  #end(code?: number): void {
    if (this.#over) return;
    this.close();
    this.events.closed(code);
  }

  async #receive(streamPatience: number | undefined): Promise<void> {
    let streaming = streamPatience !== undefined;
    while (!this.#over) {
      const first = !this.#opened;
      let heldBack = false;
      const patience = setTimeout(() => {
        heldBack = streaming && first && !this.#opened;
        if (heldBack) this.#aborting.abort();
      }, streamPatience);
      try {
        const response = await this.#post(streaming ? "xhr_streaming" : "xhr");
        if (!response.ok) return this.#end();
        for await (const line of linesOf(response)) this.#frame(line);
        if (!this.#opened) return this.#end();
      } catch {
        if (!heldBack) return this.#end();
        // Nothing of the session was seen, so nothing is lost with it.
        streaming = false;
        this.noStreams();
        this.#begin();
      } finally {
        clearTimeout(patience);
      }
    }
  }

  #frame(line: string): void {
    if (this.#over) return;
    this.events.heard();
    switch (line[0]) {
      case "o":
        if (!this.#opened) {
          this.#opened = true;
          this.events.opened();
        }
        break;
      case "a":
        for (const message of JSON.parse(line.slice(1)) as string[]) {
          if (!this.#over) this.events.message(message);
        }
        break;
      case "c":
        this.#end((JSON.parse(line.slice(1)) as [number])[0]);
    }
  }

  /** One request after the other, so that what is sent arrives in its order. */
  async #sendWaiting(): Promise<void> {
    this.#sending = true;
    // What else is said in this turn goes along.
    await Promise.resolve();
    while (this.#waiting.length > 0 && !this.#over) {
      let count = 1;
      for (let size = this.#waiting[0]!.length; count < this.#waiting.length; count++) {
        size += this.#waiting[count]!.length;
        if (size > REQUEST_CHARACTERS) break;
      }
      const body = JSON.stringify(this.#waiting.splice(0, count));
      const sent = await this.#post("xhr_send", body).then(
        (response) => response.ok,
        () => false,
      );
      if (!sent) this.#end();
    }
    this.#sending = false;
  }

  /** A kind of body that needs no leave to be sent to another origin. */
  #post(door: string, body = ""): Promise<Response> {
    const headers = { "content-type": "text/plain;charset=UTF-8" };
    const { fetch } = this;
    return fetch(`${this.#url}/${door}${this.address.query}`, { method: "POST", body, headers, signal: this.#aborting.signal });
  }
}
