/** A client: what a program says to the server, and hears from it, whatever becomes of the connection between them. */

import { parseAddress } from "./address.js";
import { Backoff } from "./backoff.js";
import { Collection, type CollectionOptions } from "./collection.js";
import { Connection, type ConnectionState } from "./connection.js";
import type { Criteria } from "./criteria.js";
import { BacksyncError, type ErrorObject } from "./errors.js";
import { Emitter } from "./events.js";
import { Ledger, type Patience } from "./ledger.js";
import type { Copy, Listening } from "./listening.js";
import { Listenings } from "./listenings.js";
import {
  encodeRequest,
  type BatchEntry,
  type DeleteOptions,
  type Doomed,
  type Draft,
  type Json,
  type Message,
  type Push,
  type Reply,
  type SessionInfo,
  type Stored,
  type WriteOptions,
} from "./messages.js";
import { checkName, randomName, requestIds } from "./naming.js";
import { http, type Fetch } from "./transports/http.js";
import { sockJs, type SockJsConstructor } from "./transports/sockjs.js";
import type { Transport } from "./transports/transport.js";
import { webSocket, type WebSocketConstructor } from "./transports/websocket.js";

/** How to connect. Times are in milliseconds. */
export interface ConnectOptions {
  /**
   * What the client is called on the server: a random UUID where nothing else is said, which is what repeated writes need. One
   * that is chosen may be used again after a restart of the program; it should be as hard to guess. 1 to 128 printable characters of
   * ASCII without space.
   */
  name?: string;
  /**
   * Who the user is. A function is asked again at every connect; where it fails the event `error` tells `no_token`, and it is asked again
   * later. A string that the server refuses ends the client. Default: none, for servers that let everybody in.
   */
  token?: string | (() => string | Promise<string>);
  /** In the place of the platform's, or where it has none, as Node before 22. `null`: go without. */
  WebSocket?: WebSocketConstructor | null;
  /** sockjs-client's constructor, to be tried where no WebSocket gets through. */
  SockJS?: SockJsConstructor;
  /** In the place of the platform's. `null`: go without. */
  fetch?: Fetch | null;
  /** The ways to the server, in the place of WebSocket, SockJS and HTTP, in the order in which they are tried. */
  transports?: readonly Transport[];
  /** How messages become text and come from it, for who needs numbers beyond 2^53. Default: `JSON`. */
  json?: Json;
  /** Until a way that does not lead to the server is left. Default: 10,000. */
  connectTimeout?: number;
  /** How long to wait before connecting again: a random time each, so that not all clients come back at once. */
  reconnect?: {
    /** The longest first wait, which doubles with each failure. Default: 1000. */
    first?: number;
    /** The longest of all. A connection that held for so long has the waits begin anew. Default: 30,000. */
    longest?: number;
  };
  /** How long the server may be silent before it is asked whether it is there. Default: its own heartbeat, 25,000 mostly. */
  silence?: number;
  /** How long it may take to answer that. Default: 10,000. */
  patience?: number;
}

/** What a client tells by {@link Client.on}: the names of the events, and what their handlers get. */
export type ClientEvents = {
  /** The connection stands differently. `error`: why it is `closed`, where that was not asked for. */
  state: [state: ConnectionState, error?: BacksyncError];
  /** Every push of the server, before collections hear of it. Its order is the server's. */
  push: [push: Push];
  /**
   * Something went wrong that no promise tells: a message that the server could not answer, a token that it refused, or none
   * (`no_token`).
   */
  error: [error: BacksyncError];
};

/** What a query looks for beside {@link Criteria}. */
export interface Query extends Criteria {
  /** Paths, `-` before one that counts backwards. */
  readonly sort?: string | readonly string[];
  /** So many are left out at the beginning. Default: none. */
  readonly skip?: number;
  /** No more than so many. Default: all. */
  readonly limit?: number;
  /** Go on where an earlier answer ended: at the `next` of its reply. Not with `ids`. */
  readonly after?: string;
  /** References to be replaced by the records that they name, as `"owner"` or `["owner.boss", "friends"]`. */
  readonly populate?: string | readonly string[];
}

/** How a request is made. */
export interface RequestOptions extends Patience {
  /** The `options` of the message, as `{ listen: false }` of a `read`. Default: none. */
  options?: object;
}

/** The server's close for a message that it does not take. */
const TOO_LARGE = 1009;

/**
 * Connect to a server: `https://example.com`, `ws://127.0.0.1:9000`, or a path of the page's own origin. Nothing has to be waited
 * for: what is asked before there is a connection is sent as soon as there is one.
 *
 * ```js
 * const client = connect("https://example.com", { token: () => session.token() });
 * const tasks = client.collection("Task", { where: { done: false }, sort: "-priority" });
 * tasks.on("update", () => draw(tasks.records));
 * await tasks.upsert({ title: "sweep", done: false, priority: 1 });
 * ```
 *
 * A connection that is lost is made again, after a random wait, until {@link Client.close}. What was not answered is sent once more, and
 * done once.
 *
 * @throws TypeError where the URL or the name is none, or nothing is there to connect by
 */
export function connect(url: string | URL, options: ConnectOptions = {}): Client {
  return new Client(url, options);
}

/** A client, by {@link connect}: it opens collections, asks, writes, and tells how the connection stands. */
export class Client {
  /** What it is called on the server. */
  readonly name: string;
  /** How its messages become text and come from it. */
  readonly json: Json;
  #events = new Emitter<ClientEvents>();
  #nextId: () => string | number;
  #ledger = new Ledger();
  #listenings: Listenings;
  #connection: Connection;
  #session: SessionInfo | undefined;
  #token: ConnectOptions["token"];
  #ended: BacksyncError | undefined;

  /** As {@link connect} does it. */
  constructor(url: string | URL, options: ConnectOptions = {}) {
    this.name = options.name === undefined ? randomName() : checkName(options.name);
    this.json = options.json ?? JSON;
    this.#token = options.token;
    this.#nextId = requestIds(options.name !== undefined);
    this.#listenings = new Listenings(
      {
        upsert: (model, records, options) => this.upsert(model, records as Draft<object>, options),
        delete: (model, records, options) => this.delete(model, records as Doomed, options),
      },
      this.json,
    );
    this.#connection = new Connection(
      {
        address: parseAddress(url),
        transports: options.transports ?? transportsOf(options),
        client: this.name,
        nextId: this.#nextId,
        json: this.json,
        token: () => this.#token,
        connectTimeout: options.connectTimeout ?? 10_000,
        silence: options.silence,
        patience: options.patience ?? 10_000,
        backoff: new Backoff(options.reconnect?.first ?? 1000, options.reconnect?.longest ?? 30_000),
      },
      {
        state: (state, error) => this.#stands(state, error),
        opened: (info) => this.#opened(info),
        message: (message) => this.#received(message),
        lost: (code) => this.#lost(code),
        error: (error) => this.#events.emit("error", error),
      },
    );
  }

  /** How the connection stands. It begins with `connecting`. */
  get state(): ConnectionState {
    return this.#connection.state;
  }

  /** What the server last said of itself; `undefined` before the first connect. */
  get session(): SessionInfo | undefined {
    return this.#session;
  }

  /** Call `handler` from now on; the function returned ends that. */
  on<Name extends keyof ClientEvents>(name: Name, handler: (...values: ClientEvents[Name]) => void): () => void {
    return this.#events.on(name, handler);
  }

  /**
   * Records of a model that stay as they are on the server. Close it when it is no longer needed.
   *
   * ```js
   * const tasks = client.collection("Task", { where: { list: "home" }, sort: ["-priority", "title"] });
   * await tasks.ready;
   * for (const task of tasks) console.log(task.title);
   * ```
   *
   * Nothing is thrown where the server does not let us listen: the collection's `ready` rejects, and its state is `failed`.
   */
  collection<T extends object = Record<string, unknown>>(model: string, options: Criteria & CollectionOptions<T> = {}): Collection<T> {
    return new Collection(this.listening<T>(model, options), options);
  }

  /**
   * What a collection stands on: one for all who want the same. It begins with its first watcher. With a `copy` of the records as
   * they once were it asks only for what became of them since.
   */
  listening<T extends object>(model: string, { where, ids }: Criteria = {}, copy?: Copy<T>): Listening<T> {
    return this.#listenings.of<T>(model, { ...(where && { where }), ...(ids && { ids }) }, copy);
  }

  /**
   * Look at records once, without listening. With `ids` those that there are come in the order asked.
   *
   * Rejects as {@link Client.request} does, with `invalid_filter` for a `where` that is none and `invalid_data` for what does not go
   * together.
   */
  async read<T extends object = Record<string, unknown>>(model: string, query: Query = {}, patience?: Patience): Promise<Stored<T>[]> {
    return (await this.#look<T>(model, query, patience)).data;
  }

  /**
   * Look at records in pages of `limit` each. In the order of insertion every record that is there all the time comes once, whatever is
   * written meanwhile; with `sort` those do whose values in that order stay.
   *
   * ```js
   * for await (const page of client.pages("Task", { sort: "title", limit: 100 })) console.log(page.length);
   * ```
   *
   * Throws what {@link Client.read} rejects with, and a `TypeError` where what is sorted by is too long for pages.
   */
  async *pages<T extends object = Record<string, unknown>>(
    model: string,
    query: Query & { readonly limit: number },
    patience?: Patience,
  ): AsyncGenerator<Stored<T>[], void, undefined> {
    for (let rest: Query = query; ; ) {
      const { data, next } = await this.#look<T>(model, rest, patience);
      yield data;
      if (next === undefined) return;
      if (next === null) throw new TypeError("what is sorted by is too long for pages: sort by less");
      rest = { ...query, skip: 0, after: next };
    }
  }

  /**
   * Insert a record, or set members of the one that has this id. Resolves to the record as it then is; to `null` where this edit lost
   * against another and there is no record.
   *
   * Rejects as {@link Client.request} does, with `conflict` where the policy does not write over what others changed.
   */
  upsert<T extends object>(model: string, record: Draft<T>, options?: WriteOptions & Patience): Promise<Stored<T> | null>;
  /** The same for several records: all of them or none. An error says by `element` which of them was wrong. */
  upsert<T extends object>(model: string, records: readonly Draft<T>[], options?: WriteOptions & Patience): Promise<(Stored<T> | null)[]>;
  async upsert(model: string, records: unknown, options: WriteOptions & Patience = {}): Promise<unknown> {
    return (await this.#write(`${model}:upsert`, records, options)).data;
  }

  /**
   * Delete records, by their ids or as they are: all of them or none. To delete what is not there succeeds, and so does a deletion that
   * lost against another edit.
   *
   * Rejects as {@link Client.request} does, with `conflict` where the policy does not delete what others changed.
   */
  async delete(model: string, records: Doomed | readonly Doomed[], options: DeleteOptions & Patience = {}): Promise<void> {
    const named = (doomed: Doomed): object => (typeof doomed === "object" ? doomed : { id: doomed });
    await this.#write(`${model}:delete`, Array.isArray(records) ? records.map(named) : named(records as Doomed), options);
  }

  /**
   * Several writes as one step: all of them or none. Resolves to what became of each.
   *
   * ```js
   * await client.batch([
   *   { event: "Order:upsert", data: { of: "pear" } },
   *   { event: "Stock:upsert", data: { id: "pear", left: 2 } },
   * ]);
   * ```
   *
   * Rejects as {@link Client.request} does; `element` says which entry was wrong. Models that the server does not have in one group
   * are `invalid_data`.
   */
  async batch(entries: readonly BatchEntry[], patience?: Patience): Promise<{ event: string; data: unknown; position: string }[]> {
    return (await this.request<{ event: string; data: unknown; position: string }[]>("$batch:commit", entries, patience)).data;
  }

  /**
   * Any request of the protocol. It survives lost connections: what was not answered is sent again in the same words, and done once.
   *
   * ```js
   * const { data, position } = await client.request("Task:read", { id: "t1" }, { timeout: 5000 });
   * ```
   *
   * Rejects with a {@link BacksyncError}, which has a code of the protocol or one of {@link ClientCode}, or with the reason of the
   * `signal`. An error that may be over later (`retry`) is no reason to reject: the request is sent again after half a second at the most,
   * which doubles up to 15 seconds.
   */
  request<D = unknown>(event: string, data?: unknown, { options, ...patience }: RequestOptions = {}): Promise<Reply<D>> {
    const id = this.#nextId();
    return this.repeat(id, encodeRequest(this.json, id, event, data, options), patience);
  }

  /**
   * Send the text of a request that is called `id`, by {@link encodeRequest}: perhaps once more, and by another client of the same name.
   * For who keeps requests over visits. Rejects as {@link Client.request} does.
   */
  repeat<D = unknown>(id: string | number, text: string, patience?: Patience): Promise<Reply<D>> {
    if (this.#ended) return Promise.reject(this.#ended);
    return this.#ledger.accept<D>(id, text, patience);
  }

  /**
   * Say anew who the user is, on the connection that there is: with this token, or with the one that `connect` was given or its function
   * gives. Collections that had `failed` ask again then. The next connects say the same token, or what the function gives by then.
   *
   * Rejects with `forbidden` where the server does not know the token, and as that function does.
   */
  async authenticate(token?: string): Promise<void> {
    const given = token ?? (typeof this.#token === "function" ? await this.#token() : this.#token);
    await this.request("$session:authenticate", { token: given });
    // A function says by itself who it is at the next connect.
    if (typeof this.#token !== "function") this.#token = given;
    this.#listenings.admitted();
  }

  /**
   * End the connection for good. What was not answered is rejected with `closed`, as is everything that is asked later; collections keep
   * the records that they have, in state `closed`.
   */
  close(): void {
    this.#connection.end();
  }

  #look<T>(model: string, { where, ids, sort, skip, limit, after, populate }: Query, patience?: Patience): Promise<Reply<Stored<T>[]>> {
    const data = { where, ids, sort, skip, limit, after, populate };
    return this.request(`${model}:read`, data, { ...patience, options: { listen: false } });
  }

  #write(event: string, data: unknown, { timeout, signal, ...options }: WriteOptions & Patience): Promise<Reply> {
    return this.request(event, data, { options, ...(timeout !== undefined && { timeout }), ...(signal && { signal }) });
  }

  #opened(info: SessionInfo): void {
    this.#session = info;
    const connection = this.#connection;
    // First what is listened to goes on, then what was not answered is repeated.
    this.#listenings.connected(connection);
    this.#ledger.connected((text) => connection.send(text));
  }

  #received(message: Message): void {
    if (message.id !== undefined && message.id !== null) return this.#ledger.answered(message);
    if (typeof message.event !== "string") return;
    this.#events.emit("push", message);
    if (message.event === "$session:error") this.#events.emit("error", new BacksyncError(message.data as ErrorObject));
    else if (message.event === "$session:close") this.#dismissed(message.data as { code: string; reason: string; reconnect?: boolean });
    else this.#listenings.pushed(message);
  }

  #dismissed({ code, reason, reconnect = true }: { code: string; reason: string; reconnect?: boolean }): void {
    if (!reconnect) this.#connection.end(BacksyncError.of("closed", `the server ended the session: ${reason} (${code})`));
  }

  #lost(code: number | undefined): void {
    if (code === TOO_LARGE) this.#ledger.tooLarge();
    this.#ledger.lost();
    this.#listenings.lost();
  }

  #stands(state: ConnectionState, error?: BacksyncError): void {
    if (state === "closed") {
      this.#ended = error ?? BacksyncError.of("closed", "the client is closed");
      this.#ledger.end(this.#ended);
      this.#listenings.end(this.#ended);
    }
    this.#events.emit("state", state, error);
  }
}

function transportsOf(options: ConnectOptions): Transport[] {
  const platform = globalThis as { WebSocket?: WebSocketConstructor; fetch?: Fetch };
  const constructor = options.WebSocket === undefined ? platform.WebSocket : options.WebSocket;
  const fetch = options.fetch === undefined ? platform.fetch : options.fetch;
  const transports: Transport[] = [];
  if (constructor) transports.push(webSocket(constructor));
  if (options.SockJS) transports.push(sockJs(options.SockJS));
  // A method of the platform's that knows no other `this`.
  if (fetch) transports.push(http((url, init) => fetch(url, init)));
  if (transports.length === 0) throw new TypeError("there is neither WebSocket nor fetch here: give `connect` one of them");
  return transports;
}
