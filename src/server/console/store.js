/**
 * The rows of one model: in order of arrival, found by id, at most `capacity` of them.
 *
 * A row never changes: an upsert of a known id makes a new row with the same `seq`, so whoever holds the old one (a
 * paused view) goes on showing what was.
 */

import { searchText } from "./format.js";
import { LEVELS, levelOf } from "./levels.js";
import { Sequence } from "./sequence.js";

class Row {
  dead = false;
  #text = null;

  constructor(id, seq, record) {
    this.id = id;
    this.seq = seq;
    this.record = record;
    this.level = levelOf(record);
  }

  /** What the text filter looks at; made once, on the first filter that needs it. */
  get text() {
    return (this.#text ??= searchText(this.record));
  }
}

export class Store {
  rows = new Sequence();
  counts = new Uint32Array(LEVELS.length);
  /** Rows let go because there were too many. */
  dropped = 0;
  #byId = new Map();
  #nextSeq = 0;
  #holes = false;

  constructor(capacity) {
    this.capacity = capacity;
  }

  get size() {
    return this.#byId.size;
  }

  get(id) {
    return this.#byId.get(id);
  }

  /** Puts the record in. `before` is the row it replaced, if any. */
  upsert(record) {
    const id = String(record.id);
    const before = this.#byId.get(id);
    const row = new Row(id, before ? before.seq : this.#nextSeq++, record);
    this.#byId.set(id, row);
    this.counts[row.level]++;
    if (before) {
      this.counts[before.level]--;
      before.dead = true;
      this.rows.set(row);
    } else {
      this.rows.push(row);
      if (this.size > this.capacity) this.#dropOldest();
    }
    return { row, before };
  }

  /**
   * For a store that will take the place of `older`: as `upsert`, but a record that the other one knows keeps its
   * place, and its very row when it is at the same revision. So nothing on the page moves.
   */
  adopt(record, older) {
    const known = older.get(String(record.id));
    const first = this.rows.last === undefined;
    if (!known || this.#byId.has(known.id) || (!first && known.seq <= this.rows.last.seq)) return this.upsert(record);
    this.#nextSeq = Math.max(this.#nextSeq, known.seq + 1);
    const same = record._rev !== undefined && known.record._rev === record._rev;
    const row = same ? known : new Row(known.id, known.seq, record);
    this.#byId.set(row.id, row);
    this.counts[row.level]++;
    this.rows.push(row);
    if (this.size > this.capacity) this.#dropOldest();
    return { row, before: undefined };
  }

  delete(id) {
    const row = this.#byId.get(String(id));
    if (!row) return;
    this.#kill(row);
    this.#holes ||= this.rows.at(0) !== row;
    this.rows.sweep(false);
  }

  /** Numbers for rows still to come are above those of `older`, except for the records that both hold. */
  continueFrom(older) {
    this.#nextSeq = older.#nextSeq;
  }

  /** Closes the holes that deletes left; true when there were any. Once per batch: it walks all rows. */
  closeHoles() {
    const had = this.#holes;
    if (had) this.rows.sweep(true);
    this.#holes = false;
    return had;
  }

  #dropOldest() {
    this.#kill(this.rows.at(0));
    this.rows.sweep(false);
    this.dropped++;
  }

  #kill(row) {
    row.dead = true;
    this.#byId.delete(row.id);
    this.counts[row.level]--;
  }
}
