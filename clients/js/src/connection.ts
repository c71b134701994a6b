/**
 * The way to the server: reach it by one of the transports, say who we are, and begin again when the connection is lost. What is
 * said over it is the client's affair.
 */

import type { Backoff } from "./backoff.js";
import { BacksyncError } from "./errors.js";
import { Line, type LineOptions } from "./line.js";
import type { Message, SessionInfo } from "./messages.js";
import { watchNetwork } from "./network.js";
import { Choice } from "./transports/choice.js";
import type { Transport } from "./transports/transport.js";

/**
 * How a client stands:
 *
 * - `connecting`: it tries to reach the server
 * - `open`: it is connected
 * - `waiting`: it waits before it tries again
 * - `closed`: it is over
 */
export type ConnectionState = "connecting" | "open" | "waiting" | "closed";

/** What a connection is made with. */
export interface ConnectionOptions extends LineOptions {
  transports: readonly Transport[];
  /** The client's name. It is said in a message, as whoever knows it can do as the client does: URLs are written into logs. */
  client: string;
  /** A token to connect with, as it is by now; one that is asked for anew each time may be another. */
  token(): string | (() => string | Promise<string>) | undefined;
  /** Milliseconds until a transport that does not lead there is left. */
  connectTimeout: number;
  backoff: Backoff;
}

/** What a connection tells. */
export interface ConnectionEvents {
  state(state: ConnectionState, error?: BacksyncError): void;
  /** What has to be said first may be said now. */
  opened(info: SessionInfo): void;
  message(message: Message): void;
  /** It was open, and is lost. `code`: of the server's close. */
  lost(code: number | undefined): void;
  /** Something went wrong that nobody asked for. */
  error(error: BacksyncError): void;
}

export class Connection {
  state: ConnectionState = "connecting";
  #line: Line | undefined;
  #choice: Choice<Transport>;
  #endWait: () => void = () => {};
  #stopNetwork: () => void;

  constructor(
    private readonly options: ConnectionOptions,
    private readonly events: ConnectionEvents,
  ) {
    this.#choice = new Choice(options.transports);
    this.#stopNetwork = watchNetwork((isThere) => {
      this.#line?.doubt();
      if (!isThere) return;
      // Another network may have other ways.
      this.#choice.forget();
      this.#endWait();
    });
    // Whoever makes it gets to listen first.
    queueMicrotask(() => void this.#run());
  }

  /** Send a message. Only between `opened` and `lost`. */
  send(text: string): void {
    this.#line?.send(text);
  }

  /** Ask something; there is no answer where the connection is lost before. */
  ask(event: string, data: unknown, answer: (message: Message) => void): void {
    this.#line?.ask(event, data, answer);
  }

  /** For good, because of this where it is a failure. */
  end(error?: BacksyncError): void {
    if (this.state === "closed") return;
    this.#stopNetwork();
    this.#become("closed", error);
    this.#line?.close();
    this.#endWait();
  }

  async #run(): Promise<void> {
    const { backoff } = this.options;
    while (!this.#isOver()) {
      this.#become("connecting");
      const info = await this.#reach();
      if (this.#isOver()) return;
      if (info) {
        const began = Date.now();
        this.#become("open");
        this.events.opened(info);
        const code = await this.#line!.over;
        if (this.#isOver()) return;
        backoff.lasted(Date.now() - began);
        this.events.lost(code);
      }
      this.#become("waiting");
      await this.#wait(backoff.next());
    }
  }

  /** Try each of the ways. */
  async #reach(): Promise<SessionInfo | undefined> {
    const { client } = this.options;
    const token = this.options.token();
    let greeting: { client: string; token?: string } = { client };
    try {
      if (token !== undefined) greeting = { client, token: typeof token === "string" ? token : await token() };
    } catch (cause) {
      this.events.error(BacksyncError.of("no_token", "there is no token to connect with", cause));
      return undefined;
    }
    for (const transport of this.#choice.next()) {
      if (this.#isOver()) return undefined;
      const reply = await this.#greet(transport, greeting);
      if (!reply) continue;
      this.#choice.worked(transport);
      if (!reply.error) return reply.data as SessionInfo;
      const error = new BacksyncError(reply.error);
      this.#line?.close();
      // The next token may be a better one. The same greeting would be refused again.
      if (error.retry || typeof token === "function") this.events.error(error);
      else this.end(error);
      return undefined;
    }
    this.#choice.failed();
    return undefined;
  }

  /** The answer shows that something gets through, which a socket that is open does not. */
  async #greet(transport: Transport, greeting: object): Promise<Message | undefined> {
    const line = new Line(transport, this.options, greeting, (message) => this.events.message(message));
    this.#line = line;
    const timer = setTimeout(() => line.close(), this.options.connectTimeout);
    const reply = await line.greeted;
    clearTimeout(timer);
    return reply;
  }

  #wait(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#endWait = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.#isOver()) this.#endWait();
    });
  }

  #isOver(): boolean {
    return this.state === "closed";
  }

  #become(state: ConnectionState, error?: BacksyncError): void {
    if (this.state === state) return;
    this.state = state;
    this.events.state(state, error);
  }
}
