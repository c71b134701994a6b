/**
 * Rows in order of arrival, which is the order of their `seq`. Cheap at both ends, and a row is found by its `seq`
 * whatever was removed before it.
 */
export class Sequence {
  #items = [];
  #head = 0;

  get length() {
    return this.#items.length - this.#head;
  }

  at(index) {
    return this.#items[this.#head + index];
  }

  get last() {
    return this.length > 0 ? this.#items[this.#items.length - 1] : undefined;
  }

  push(row) {
    this.#items.push(row);
  }

  /** Index of the first row with this `seq` or a later one; `length` when there is none. */
  lowerBound(seq) {
    const items = this.#items;
    let low = this.#head;
    let high = items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (items[middle].seq < seq) low = middle + 1;
      else high = middle;
    }
    return low - this.#head;
  }

  /** Index of the row with this `seq`, or -1. */
  indexOf(seq) {
    const index = this.lowerBound(seq);
    return this.at(index)?.seq === seq ? index : -1;
  }

  /** Puts the row where its `seq` belongs, in the place of one with the same. */
  set(row) {
    const index = this.lowerBound(row.seq);
    const same = this.at(index)?.seq === row.seq ? 1 : 0;
    if (same) this.#items[this.#head + index] = row;
    else this.#items.splice(this.#head + index, 0, row);
  }

  remove(seq) {
    const index = this.indexOf(seq);
    if (index >= 0) this.#items.splice(this.#head + index, 1);
  }

  /** Drops the dead rows at the front; all of them when `everywhere`, which costs a walk. */
  sweep(everywhere) {
    const items = this.#items;
    while (this.#head < items.length && items[this.#head].dead) items[this.#head++] = undefined;
    if (everywhere) {
      this.#items = items.filter((row) => row !== undefined && !row.dead);
      this.#head = 0;
    } else if (this.#head > 4096 && this.#head * 2 > items.length) {
      this.#items = items.slice(this.#head);
      this.#head = 0;
    }
  }

  *[Symbol.iterator]() {
    for (let i = 0; i < this.length; i++) yield this.at(i);
  }
}
