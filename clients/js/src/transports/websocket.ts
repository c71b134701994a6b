/** Plain WebSocket, at the door `/ws`: one message a frame. */

import { ofSocket, type Socket } from "./socket.js";
import type { Transport } from "./transport.js";

/** Anything that does as the platform's `WebSocket`. */
export type WebSocketConstructor = new (url: string) => Socket;

export function webSocket(constructor: WebSocketConstructor): Transport {
  return {
    name: "websocket",
    open: ({ ws, query }, events) => ofSocket(() => new constructor(`${ws}/ws${query}`), events),
  };
}
