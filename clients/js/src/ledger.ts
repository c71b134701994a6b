/**
 * The requests that have no reply yet, in their order. A request is in here from the moment it is accepted until it is answered,
 * so a lost connection loses none: what was not answered is sent again in the same words.
 */

import { BacksyncError } from "./errors.js";
import type { Message, Reply } from "./messages.js";

/** How long a request may take. */
export interface Patience {
  /** Milliseconds until it fails with `timeout`, and may be done all the same. Default: none; it waits, through lost connections too. */
  timeout?: number;
  /** Gives it up: it fails with the signal's reason, mostly an `AbortError`. What was sent may be done all the same. */
  signal?: AbortSignal;
}

type Id = string | number;

interface Entry {
  readonly id: Id;
  readonly text: string;
  readonly answer: (message: Message) => void;
  readonly fail: (error: unknown) => void;
  sent: boolean;
  /** The times it was refused for a while. */
  refused: number;
}

/** Milliseconds before a request is sent again that could not be done just now; doubles with each time, up to the last. */
const REPEAT_AFTER = 500;
const REPEAT_AFTER_AT_MOST = 15_000;

export class Ledger {
  #entries = new Map<Id, Entry>();
  #later = new Set<ReturnType<typeof setTimeout>>();
  #send: ((text: string) => void) | undefined;

  /** Take a request in, to be sent after all that are here. */
  accept<D>(id: Id, text: string, { timeout, signal }: Patience = {}): Promise<Reply<D>> {
    return new Promise<Reply<D>>((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      let timer: ReturnType<typeof setTimeout> | undefined;
      const abort = (): void => giveUp(signal?.reason);
      const settle = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        this.#entries.delete(id);
      };
      const giveUp = (error: unknown): void => {
        settle();
        reject(error);
      };
      const entry: Entry = {
        id,
        text,
        answer: (message) => {
          settle();
          if (message.error) reject(new BacksyncError(message.error));
          else resolve(message as Reply<D>);
        },
        fail: giveUp,
        sent: false,
        refused: 0,
      };
      if (timeout !== undefined) {
        timer = setTimeout(() => giveUp(BacksyncError.of("timeout", `no reply within ${timeout} ms`)), timeout);
      }
      signal?.addEventListener("abort", abort, { once: true });
      this.#entries.set(id, entry);
      this.#put(entry);
    });
  }

  /** A message came that bears an id. */
  answered(message: Message): void {
    const entry = this.#entries.get(message.id as Id);
    if (!entry) return;
    if (!message.error?.retry) return entry.answer(message);
    entry.sent = false;
    const longest = Math.min(REPEAT_AFTER * 2 ** entry.refused++, REPEAT_AFTER_AT_MOST);
    const timer = setTimeout(
      () => {
        this.#later.delete(timer);
        if (this.#entries.has(entry.id)) this.#put(entry);
      },
      longest * (0.5 + Math.random() / 2),
    );
    this.#later.add(timer);
  }

  /** There is a connection, and whoever listens has asked: send what has no reply. */
  connected(send: (text: string) => void): void {
    this.#send = send;
    for (const entry of this.#entries.values()) this.#put(entry);
  }

  /** The connection is lost. */
  lost(): void {
    this.#send = undefined;
    for (const timer of this.#later) clearTimeout(timer);
    this.#later.clear();
    for (const entry of this.#entries.values()) entry.sent = false;
  }

  /**
   * The server closed because a message was too large. It reads in order and stops there, so of those that were sent the largest
   * is one that it does not take; the others may be repeated. To be told before {@link lost}.
   */
  tooLarge(): void {
    let largest: Entry | undefined;
    for (const entry of this.#entries.values()) {
      if (entry.sent && entry.text.length > (largest?.text.length ?? 0)) largest = entry;
    }
    largest?.fail(BacksyncError.of("message_too_large", `the server takes no message of ${largest.text.length} characters`));
  }

  /** Nothing is sent any more: everybody hears why. */
  end(error: BacksyncError): void {
    this.lost();
    for (const entry of [...this.#entries.values()]) entry.fail(error);
  }

  #put(entry: Entry): void {
    if (!this.#send || entry.sent) return;
    entry.sent = true;
    this.#send(entry.text);
  }
}
