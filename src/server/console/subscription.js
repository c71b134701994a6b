/**
 * Reads one model and hears its changes, over whatever connection there is at the time.
 *
 * After a reconnect it asks only for what changed since the last position heard; a server that cannot say answers with
 * everything, or with an error, upon which everything is read.
 */

import { backoff } from "./backoff.js";

export class Subscription {
  model;
  /** `reading`, `live`, or `refused` with the server's `error`. */
  status = "reading";
  error = null;
  #send;
  #on;
  #requests = 0;
  #pending = null;
  #position = null;
  #refusals = 0;
  #timer = 0;

  /** `send(message)`; `on`: `{change(change), status()}` with the changes that `Tail.push` takes. */
  constructor(model, send, on) {
    this.model = model;
    this.#send = send;
    this.#on = on;
  }

  /** Leaves the model for another one. */
  watch(model) {
    this.#send({ id: ++this.#requests, event: `${this.model}:unsubscribe` });
    this.model = model;
    this.#position = null;
    this.#refusals = 0;
    this.read();
  }

  /** To be called whenever a connection has opened. */
  read() {
    clearTimeout(this.#timer);
    const since = this.#position;
    this.#pending = { id: ++this.#requests, since };
    this.#become("reading", null);
    const request = { id: this.#pending.id, event: `${this.model}:read` };
    this.#send(since === null ? request : { ...request, data: { since } });
  }

  receive(message) {
    if ("id" in message) {
      if (this.#pending && message.id === this.#pending.id) this.#answer(message);
      return;
    }
    // Before the answer to the reading, a push can only be a late one of an earlier listening, and is in the answer.
    if (this.#pending || this.status !== "live" || typeof message.event !== "string") return;
    const colon = message.event.indexOf(":");
    if (message.event.slice(0, colon) !== this.model) return;
    if (typeof message.position === "string") this.#position = message.position;
    switch (message.event.slice(colon + 1)) {
      case "upsert":
        for (const record of asRecords(message.data)) this.#on.change({ kind: "upsert", record });
        break;
      case "delete":
        for (const record of asRecords(message.data)) this.#on.change({ kind: "delete", id: record.id });
        break;
      case "reset":
        this.#on.change({ kind: "reset", records: asRecords(message.data) });
        break;
    }
  }

  #answer(message) {
    const { since } = this.#pending;
    this.#pending = null;
    if (message.error) return this.#refused(message.error, since);
    this.#refusals = 0;
    this.#position = typeof message.position === "string" ? message.position : null;
    const records = asRecords(message.data);
    this.#on.change(
      since === null || message.reset ? { kind: "reset", records } : { kind: "merge", records, deleted: message.deleted ?? [] },
    );
    this.#become("live", null);
  }

  #refused(error, since) {
    if (since !== null) {
      this.#position = null;
      return this.read();
    }
    this.#become("refused", error);
    if (error.retry) this.#timer = setTimeout(() => this.read(), 500 + backoff(this.#refusals++));
  }

  #become(status, error) {
    this.status = status;
    this.error = error;
    this.#on.status();
  }
}

function asRecords(data) {
  const list = Array.isArray(data) ? data : [data];
  return list.filter((record) => typeof record === "object" && record !== null && "id" in record);
}
