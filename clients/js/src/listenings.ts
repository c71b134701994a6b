/** Who listens to what: one listening for each criteria, and what must be asked of the server for them. */

import { criteriaKey, type Criteria } from "./criteria.js";
import type { BacksyncError } from "./errors.js";
import { Listening, type Copy, type Host } from "./listening.js";
import type { Json, Message, Push } from "./messages.js";

/** How listenings reach the server while there is a connection. */
export interface Wire {
  /** Ask; the answer does not come where the connection is lost before. */
  ask(event: string, data: unknown, answer: (message: Message) => void): void;
}

type Any = Listening<never>;

/** Milliseconds before a query is repeated that the server could not answer just now. */
const ASK_AGAIN_AFTER = 1000;

export class Listenings {
  #all = new Map<string, Any>();
  #wire: Wire | undefined;

  constructor(
    private readonly host: Pick<Host, "upsert" | "delete">,
    private readonly json: Json,
  ) {}

  /** The listening with these criteria. One that is there already has more than a copy. */
  of<T>(model: string, criteria: Criteria, copy?: Copy<T>): Listening<T> {
    const key = criteriaKey(model, criteria, this.json);
    const known = this.#all.get(key);
    if (known) return known as unknown as Listening<T>;
    const host: Host = {
      ...this.host,
      begin: (listening) => {
        this.#all.set(key, listening);
        this.#ask(listening);
      },
      end: (listening) => {
        if (this.#all.get(key) !== listening) return;
        this.#all.delete(key);
        this.#forget(listening);
      },
    };
    return new Listening(model, criteria, host, copy);
  }

  /** There is a connection: everybody asks, before anything else is said. */
  connected(wire: Wire): void {
    this.#wire = wire;
    for (const listening of this.#all.values()) this.#ask(listening);
  }

  lost(): void {
    this.#wire = undefined;
    for (const listening of [...this.#all.values()]) listening.lost();
  }

  /** The server may let in now whom it did not. */
  admitted(): void {
    for (const listening of this.#all.values()) if (listening.state === "failed") this.#ask(listening);
  }

  pushed(push: Push): void {
    const colon = push.event.indexOf(":");
    const model = push.event.slice(0, colon);
    const method = push.event.slice(colon + 1);
    for (const listening of this.#of(model)) listening.pushed(method, push);
  }

  end(error: BacksyncError): void {
    this.#wire = undefined;
    for (const listening of [...this.#all.values()]) listening.over(error);
    this.#all.clear();
  }

  #of(model: string): Any[] {
    return [...this.#all.values()].filter((listening) => listening.model === model);
  }

  #ask(listening: Any): void {
    const wire = this.#wire;
    wire?.ask(`${listening.model}:read`, listening.query, (message) => {
      if (!this.#has(listening)) return;
      if (!message.error?.retry) return listening.answered(message);
      setTimeout(() => {
        if (this.#wire === wire && this.#has(listening)) this.#ask(listening);
      }, ASK_AGAIN_AFTER);
    });
  }

  #has(listening: Any): boolean {
    return listening.state !== "closed" && [...this.#all.values()].includes(listening);
  }

  /** End on the server what this one heard, but for what others still hear. */
  #forget(gone: Any): void {
    const wire = this.#wire;
    if (!wire) return;
    const others = this.#of(gone.model);
    const { where } = gone.criteria;
    let data: object = {};
    if (where) {
      // The server knows filters by what they say, however they are put.
      if (others.some((other) => other.filter !== undefined && other.filter === gone.filter)) return;
      data = { where };
    } else if (gone.ids) {
      const kept = new Set(others.flatMap((other) => [...(other.ids ?? [])]));
      const ids = [...gone.ids].filter((id) => !kept.has(id));
      if (ids.length === 0) return;
      data = { ids };
    }
    wire.ask(`${gone.model}:unsubscribe`, data, () => {});
    // One that was not answered yet may be to the same filter in other words: it listens again behind this.
    for (const other of others) if (where && other.criteria.where && other.state !== "live") this.#ask(other);
  }
}
