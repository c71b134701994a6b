/** What WebSocket and SockJS have in common: the browser's interface for a socket. */

import type { Link, TransportEvents } from "./transport.js";

/** As much of the platform's `WebSocket` as is needed. */
export interface Socket {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror?: ((event: never) => void) | null;
  /** SockJS tells of the server's heartbeats. */
  onheartbeat?: () => void;
  send(text: string): void;
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
