/** What WebSocket and SockJS have in common: the browser's interface for a socket. */

import type { Link, TransportEvents } from "./transport.js";

/** As much of the platform's `WebSocket` as is needed. */
export interface Socket {
  /** Messages can be sent. */
  onopen: ((event: never) => void) | null;
  /** A message came: the `data` of the event is its text. */
  onmessage: ((event: never) => void) | null;
  /** It is over: the `code` of the event is that of the close, where there was one. */
  onclose: ((event: never) => void) | null;
  /** Something went wrong; a close follows. */
  onerror?: ((event: never) => void) | null;
  /** SockJS tells of the server's heartbeats. */
  onheartbeat?: () => void;
  /** Send a message. */
  send(text: string): void;
  /** End it. */
  close(): void;
}

/** The link over a socket that `open` makes. One that cannot be made is one that closes at once. */
export function ofSocket(open: () => Socket, events: TransportEvents): Link {
  let socket: Socket | undefined;
  let over = false;
  const end = (code?: number): void => {
    if (over) return;
    over = true;
    events.closed(code);
  };
  try {
    socket = open();
  } catch {
    // The platform forbids it, as a page over HTTPS that may not open `ws://`.
    queueMicrotask(end);
    return { send() {}, close: () => void (over = true) };
  }
  socket.onopen = () => over || events.opened();
  socket.onmessage = ({ data }: { data: unknown }) => over || events.message(String(data));
  socket.onclose = ({ code }: { code?: number }) => end(code);
  // A close follows; Node's `ws` takes an error that nobody listens to for a fault of the program.
  socket.onerror = () => {};
  socket.onheartbeat = () => over || events.heard();
  return {
    send: (text) => socket.send(text),
    close() {
      over = true;
      try {
        socket.close();
      } catch {
        // It was closing already, or had never opened.
      }
    },
  };
}
