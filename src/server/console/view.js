/**
 * The rows that pass the filter, kept up as rows come and go.
 *
 * A new filter looks at every row in slices (`step`) and only then takes the place of the old result, so the page
 * neither stalls nor shows a half-made list. A paused view stands still; a filter set meanwhile looks only at the rows
 * that were there when it was paused.
 */

import { ALL_LEVELS, hasLevel } from "./levels.js";
import { Sequence } from "./sequence.js";

const EVERYTHING = { pattern: null, negated: false, error: null };

export class View {
  shown = new Sequence();
  query = EVERYTHING;
  levels = ALL_LEVELS;
  /** Matching rows that came while paused. */
  behind = 0;
  #store;
  #next = null;
  #cursor = -1;
  #horizon = Infinity;

  constructor(store) {
    this.#store = store;
  }

  get paused() {
    return this.#horizon !== Infinity;
  }

  /** A pass over the rows is under way. */
  get busy() {
    return this.#next !== null;
  }

  matches(row) {
    if (!hasLevel(this.levels, row.level)) return false;
    const { pattern, negated } = this.query;
    return pattern === null || pattern.test(row.text) !== negated;
  }

  filter(query, levels) {
    this.query = query;
    this.levels = levels;
    this.#restart();
  }

  pause() {
    // Nothing arrived yet is still a place to stand: -1 lets no row in.
    if (!this.paused) this.#horizon = this.#store.rows.last?.seq ?? -1;
  }

  resume() {
    if (!this.paused) return;
    this.#horizon = Infinity;
    this.#restart();
  }

  /** Another store takes over, whose common rows have the same places. */
  rebase(store) {
    this.#store = store;
    if (!this.paused || this.busy) this.#restart();
  }

  /** Forgets every row, and the pause with them. */
  empty(store) {
    this.#store = store;
    this.#horizon = Infinity;
    this.#next = null;
    this.behind = 0;
    this.shown = new Sequence();
  }

  added(row) {
    // A pass under way will come to it.
    if (this.busy || !this.matches(row)) return;
    if (this.paused) this.behind++;
    else this.shown.push(row);
  }

  replaced(row) {
    if (this.paused) return;
    const target = !this.busy ? this.shown : row.seq <= this.#cursor ? this.#next : null;
    if (!target) return;
    if (this.matches(row)) target.set(row);
    else target.remove(row.seq);
  }

  /** Lets go of rows that are gone from the store. */
  sweep(everywhere) {
    if (!this.paused) (this.#next ?? this.shown).sweep(everywhere);
  }

  /** Goes on with the pass under way until `deadline` (as `now` counts); true when there is more to do. */
  step(now, deadline) {
    if (!this.busy) return false;
    const rows = this.#store.rows;
    for (let index = rows.lowerBound(this.#cursor + 1); index < rows.length; index++) {
      const row = rows.at(index);
      this.#cursor = row.seq;
      if (!row.dead && this.matches(row)) {
        if (row.seq > this.#horizon) this.behind++;
        else this.#next.push(row);
      }
      if ((index & 63) === 0 && now() >= deadline) return true;
    }
    this.shown = this.#next;
    this.#next = null;
    return false;
  }

  #restart() {
    this.#next = new Sequence();
    this.#cursor = -1;
    this.behind = 0;
  }
}
