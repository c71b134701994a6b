/** Plain WebSocket, at the door `/ws`: one message a frame. */

import { ofSocket, type Socket } from "./socket.js";
import type { Transport } from "./transport.js";

/** Anything that does as the platform's `WebSocket`. */
export type WebSocketConstructor = new (url: string) => Socket;

/**
 * WebSocket as a way to a server, for `connect(url, { transports: [webSocket(WebSocket)] })`. It is what `connect` tries first by itself.
 */
export function webSocket(constructor: WebSocketConstructor): Transport {
  return {
    name: "websocket",
    open: ({ ws, query }, events) => ofSocket(() => new constructor(`${ws}/ws${query}`), events),
  };
}
