/**
 * Collections that stay in sync: the JavaScript client of the backsync broker. {@link connect} makes a client, its `collection` has
 * live records, and its `request` is for everything else that the protocol has.
 *
 * @module backsync
 */

export type { Address } from "./address.js";
export { Client, connect, type ClientEvents, type ConnectOptions, type Query, type RequestOptions } from "./client.js";
export { Collection, type CollectionEvents, type CollectionOptions } from "./collection.js";
export type { ConnectionState } from "./connection.js";
export { Contents, type Change, type SourceState } from "./contents.js";
export type { Criteria } from "./criteria.js";
export { BacksyncError, type ClientCode, type ErrorObject } from "./errors.js";
export { Emitter, type EventTypes } from "./events.js";
export type { Patience } from "./ledger.js";
export type { Copy, Listening } from "./listening.js";
export {
  encodeRequest,
  type AnyRecord,
  type BatchEntry,
  type DeleteOptions,
  type Doomed,
  type Draft,
  type Json,
  type Policy,
  type Push,
  type Reply,
  type SessionInfo,
  type Stored,
  type Where,
  type WriteOptions,
} from "./messages.js";
export { randomName } from "./naming.js";
export type { Sort } from "./sort.js";
export type { Source, Watcher } from "./source.js";
export { http, type Fetch } from "./transports/http.js";
export { sockJs, type SockJsConstructor } from "./transports/sockjs.js";
export type { Socket } from "./transports/socket.js";
export type { Link, Transport, TransportEvents } from "./transports/transport.js";
export { webSocket, type WebSocketConstructor } from "./transports/websocket.js";
