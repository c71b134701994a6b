/** SockJS by the constructor that the application brings, at the door `/sockjs`: with whatever transports that has. */

import { ofSocket, type Socket } from "./socket.js";
import type { Transport } from "./transport.js";

/** Anything that does as sockjs-client's `SockJS`. */
export type SockJsConstructor = new (url: string) => Socket;

/**
 * SockJS as a way to a server, for `connect(url, { transports: [sockJs(SockJS)] })`.
 * The option `SockJS` of `connect` has it tried behind WebSocket.
 */
export function sockJs(constructor: SockJsConstructor): Transport {
  return {
    name: "sockjs",
    open: ({ http, query }, events) => ofSocket(() => new constructor(`${http}/sockjs${query}`), events),
  };
}
