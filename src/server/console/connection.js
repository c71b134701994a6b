/**
 * One WebSocket that comes back by itself.
 *
 * Phases: `connecting` (the first time, or a try under way), `connected`, `lost` (waiting for the next try, at
 * `retryAt`), `closed` (the server asked not to come back).
 */

import { backoff } from "./backoff.js";

/** A handshake that takes longer has met a peer that will not answer. */
const HANDSHAKE_MS = 10_000;
/** A connection that lasted this long was a good one: the next loss starts over from the shortest wait. */
const GOOD_MS = 5_000;

export class Connection {
  phase = "connecting";
  reason = "";
  retryAt = 0;
  #url;
  #on;
  #socket = null;
  #attempt = 0;
  #timer = 0;

  /** `on`: `{phase(), open(), message(value)}` */
  constructor(url, on) {
    this.#url = url;
    this.#on = on;
    addEventListener("online", () => this.retry());
    document.addEventListener("visibilitychange", () => document.hidden || this.phase !== "lost" || this.retry());
  }

  get url() {
    return this.#url;
  }

  open() {
    clearTimeout(this.#timer);
    this.#enter("connecting");
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    let opened = 0;
    let over = false;
    // Called once, and at once when we give up: a close handshake with a silent peer can take a minute.
    const end = () => {
      if (over) return;
      over = true;
      clearTimeout(this.#timer);
      this.#lose(opened && Date.now() - opened >= GOOD_MS);
    };
    this.#timer = setTimeout(() => {
      end();
      socket.close();
    }, HANDSHAKE_MS);
    socket.onopen = () => {
      if (over) return;
      clearTimeout(this.#timer);
      opened = Date.now();
      this.reason = "";
      this.#enter("connected");
      this.#on.open();
    };
    socket.onmessage = (event) => {
      if (!over) this.#receive(event.data);
    };
    socket.onclose = end;
  }

  /** Tries now instead of at `retryAt`. */
  retry() {
    if (this.phase === "lost" || this.phase === "closed") this.open();
  }

  /** Sends if there is a connection; whoever speaks says it again after `open()`. */
  send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** Drops the connection as a network would. */
  drop() {
    this.#socket?.close();
  }

  #receive(text) {
    let value;
    try {
      value = JSON.parse(text);
    } catch {
      return;
    }
    for (const message of Array.isArray(value) ? value : [value]) {
      if (message?.event === "$session:close") {
        this.reason = String(message.data?.reason ?? message.data?.code ?? "");
        if (message.data?.reconnect === false) this.phase = "closed";
      }
      if (message !== null && typeof message === "object") this.#on.message(message);
    }
  }

  #lose(wasGood) {
    this.#socket = null;
    if (this.phase === "closed") return this.#enter("closed");
    this.#attempt = wasGood ? 0 : this.#attempt;
    const wait = backoff(this.#attempt++);
    this.retryAt = Date.now() + wait;
    this.#timer = setTimeout(() => this.open(), wait);
    this.#enter("lost");
  }

  #enter(phase) {
    this.phase = phase;
    this.#on.phase();
  }
}
