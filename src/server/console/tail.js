/**
 * One model's live tail: takes changes in the order they came and applies them in slices, so that neither a first
 * reading of 100,000 records nor a flood of pushes holds up the page.
 */

import { ERROR } from "./levels.js";
import { Store } from "./store.js";
import { View } from "./view.js";

/** Changes waiting beyond this are applied at once: a hidden page gets no frames, and its queue must not grow. */
const MAX_WAITING = 10_000;

export class Tail {
  /** Lines that came live, of all levels and of `error` and above: what rates and alarms count. */
  arrived = 0;
  arrivedErrors = 0;
  #capacity;
  #now;
  #waiting = [];
  #head = 0;
  #staging = null;
  #cleared = new Set();

  constructor(capacity, now) {
    this.#capacity = capacity;
    this.#now = now;
    this.store = new Store(capacity);
    this.view = new View(this.store);
  }

  /** Nothing waits and no filter is under way. */
  get settled() {
    return this.#waiting.length === this.#head && !this.view.busy;
  }

  /**
   * Takes a change: `{kind: "reset", records}`, `{kind: "merge", records, deleted}`, `{kind: "upsert", record}` or
   * `{kind: "delete", id}`.
   */
  push(change) {
    this.#waiting.push(change);
    if (this.#waiting.length - this.#head > MAX_WAITING) this.#apply(Infinity);
  }

  /** Works for at most `budget` ms on changes and as long on the filter; true when there is more to do. */
  work(budget) {
    const more = this.#apply(this.#now() + budget);
    return this.view.step(this.#now, this.#now() + budget) || more;
  }

  /** Another model, or the same from nothing. */
  restart() {
    this.#waiting = [];
    this.#head = 0;
    this.#staging = null;
    this.#cleared = new Set();
    this.store = new Store(this.#capacity);
    this.view.empty(this.store);
  }

  /** Takes the lines off this page only; a later reading does not bring them back. */
  clear() {
    this.#apply(Infinity);
    for (const row of this.store.rows) this.#cleared.add(row.id);
    const store = new Store(this.#capacity);
    store.continueFrom(this.store);
    this.store = store;
    this.view.empty(store);
  }

  #apply(deadline) {
    let done = 0;
    while (this.#head < this.#waiting.length) {
      if (!this.#one(this.#waiting[this.#head], deadline)) break;
      this.#waiting[this.#head++] = undefined;
      if ((++done & 31) === 0 && this.#now() >= deadline) break;
    }
    const more = this.#head < this.#waiting.length;
    if (!more) {
      this.#waiting = [];
      this.#head = 0;
    }
    this.view.sweep(this.store.closeHoles());
    return more;
  }

  /** True when the change is done, false when it has only got as far as the deadline. */
  #one(change, deadline) {
    switch (change.kind) {
      case "upsert":
        return this.#upsert(change.record, true);
      case "delete":
        this.store.delete(change.id);
        return true;
      case "merge":
        return this.#merge(change, deadline);
      case "reset":
        return this.#reset(change, deadline);
    }
  }

  #upsert(record, live) {
    const { row, before } = this.store.upsert(record);
    if (before) {
      this.view.replaced(row);
      return true;
    }
    if (live) {
      this.arrived++;
      if (row.level >= ERROR && row.level < ERROR + 2) this.arrivedErrors++;
    }
    this.view.added(row);
    return true;
  }

  #merge(change, deadline) {
    this.#staging ??= { at: 0 };
    for (const staging = this.#staging; staging.at < change.records.length; ) {
      this.#upsert(change.records[staging.at++], false);
      if ((staging.at & 63) === 0 && this.#now() >= deadline) return false;
    }
    for (const id of change.deleted) this.store.delete(id);
    this.#staging = null;
    return true;
  }

  #reset(change, deadline) {
    if (!this.#staging) {
      this.#staging = { at: 0, store: new Store(this.#capacity) };
      this.#staging.store.continueFrom(this.store);
    }
    for (const staging = this.#staging; staging.at < change.records.length; ) {
      const record = change.records[staging.at++];
      if (!this.#cleared.has(String(record.id))) staging.store.adopt(record, this.store);
      if ((staging.at & 63) === 0 && this.#now() >= deadline) return false;
    }
    const first = this.store.size === 0;
    this.store = this.#staging.store;
    this.#staging = null;
    // Rows dropped on the way in were never on the page: only a first reading says how many there were.
    if (!first) this.store.dropped = 0;
    this.view.rebase(this.store);
    return true;
  }
}
