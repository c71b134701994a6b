/**
 * The virtual list: a sheet as tall as all rows, of which only those in sight are elements, used over and over.
 *
 * It either follows the end, or stands still on the rows one is reading while others come and go above and below.
 * 100,000 rows of at most 28 px make a sheet of 2.8 million px; browsers break beyond about 17 million.
 */

import { makeRow, paintRow, timeTitle } from "./paint.js";

/** Rows painted beyond the edges, so that a quick scroll shows text and not the ground. */
const OVERSCAN = 12;

export class List {
  following = true;
  selected = null;
  #scroller;
  #sheet;
  #onChange;
  #rows = { length: 0, at: () => undefined, lowerBound: () => 0 };
  #query = null;
  #rowHeight = 20;
  #height = 0;
  #tidying = 0;
  #pool = [];
  #placed = -1;
  #anchor = null;
  /** `seq` of the last row when following ended: what is after it is new. */
  #seen = -1;

  /** `onChange()` after a scroll or a selection; `onOpen(row)` when a row is clicked. */
  constructor(scroller, sheet, { onChange, onOpen }) {
    this.#scroller = scroller;
    this.#sheet = sheet;
    this.#onChange = onChange;
    this.#measure();
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    // A smooth scroll starts with steps too small to tell from standing at the end.
    scroller.addEventListener("wheel", (event) => event.deltaY < 0 && this.#canScroll && this.follow(false), { passive: true });
    new ResizeObserver(() => this.update(this.#rows, this.#query)).observe(scroller);
    matchMedia("(pointer: coarse)").addEventListener("change", () => this.#measure());
    this.#clicks(onOpen);
  }

  get #canScroll() {
    return this.#rows.length * this.#rowHeight > this.#scroller.clientHeight;
  }

  /** Rows below that came since following ended. */
  get unseen() {
    return this.following ? 0 : this.#rows.length - this.#rows.lowerBound(this.#seen + 1);
  }

  get selectedIndex() {
    return this.selected ? this.#rows.lowerBound(this.selected.seq) : -1;
  }

  follow(on) {
    if (on === this.following) return;
    this.following = on;
    this.#seen = this.#rows.last?.seq ?? -1;
    if (on) this.update(this.#rows, this.#query);
    else this.#remember();
    this.#onChange();
  }

  /** Shows these rows, with the matches of the query marked. */
  update(rows, query) {
    this.#rows = rows;
    this.#query = query;
    if (this.#height !== rows.length * this.#rowHeight) {
      this.#height = rows.length * this.#rowHeight;
      this.#sheet.style.height = `${this.#height}px`;
    }
    if (this.following) this.#place(Math.max(0, this.#height - this.#scroller.clientHeight));
    else if (this.#anchor) {
      // The row one reads may be filtered out; then the next one takes its place.
      const index = rows.lowerBound(this.#anchor.seq);
      this.#place(index * this.#rowHeight + this.#anchor.offset);
    }
    this.#paint();
  }

  select(row) {
    this.selected = row;
    this.#paint();
    this.#onChange();
  }

  /** Selects the row at `index`, as near as there is one, and brings it in sight. */
  selectAt(index) {
    const row = this.#rows.at(Math.max(0, Math.min(index, this.#rows.length - 1)));
    if (!row) return;
    this.follow(false);
    this.selected = row;
    this.reveal();
    this.#onChange();
  }

  /** Brings the selected row in sight. */
  reveal() {
    const top = this.selectedIndex * this.#rowHeight;
    const { scrollTop, clientHeight } = this.#scroller;
    const margin = this.#rowHeight * 2;
    if (top - margin < scrollTop) this.#place(top - margin);
    else if (top + this.#rowHeight + margin > scrollTop + clientHeight) this.#place(top + this.#rowHeight + margin - clientHeight);
    this.#remember();
    this.#paint();
  }

  toTop() {
    this.follow(false);
    this.#place(0);
    this.#remember();
    this.#paint();
  }

  /** Index of the first row in sight, from where a selection starts. */
  get firstInSight() {
    return Math.ceil(this.#scroller.scrollTop / this.#rowHeight);
  }

  get lastInSight() {
    return Math.floor((this.#scroller.scrollTop + this.#scroller.clientHeight) / this.#rowHeight) - 1;
  }

  #measure() {
    this.#rowHeight = matchMedia("(pointer: coarse)").matches ? 28 : 20;
    for (const slot of this.#pool) slot.index = -1;
    document.documentElement.style.setProperty("--row-height", `${this.#rowHeight}px`);
    if (this.#query) this.update(this.#rows, this.#query);
  }

  // Reading scrollTop back gives what the browser made of it, so that the scroll event to come is known as ours.
  #place(top) {
    if (Math.abs(this.#scroller.scrollTop - top) >= 1) this.#scroller.scrollTop = top;
    this.#placed = this.#scroller.scrollTop;
  }

  #remember() {
    const top = this.#scroller.scrollTop;
    const index = Math.floor(top / this.#rowHeight);
    const row = this.#rows.at(index);
    this.#anchor = row ? { seq: row.seq, offset: top - index * this.#rowHeight } : null;
    this.#placed = top;
  }

  #scrolled() {
    const { scrollTop, clientHeight, scrollHeight } = this.#scroller;
    if (Math.abs(scrollTop - this.#placed) < 1) return;
    const down = scrollTop > this.#placed;
    const atEnd = scrollTop + clientHeight >= scrollHeight - this.#rowHeight / 2;
    this.#remember();
    if (!down && this.following) this.follow(false);
    else if (down && atEnd && !this.following) this.follow(true);
    else this.#onChange();
    this.#paint();
  }

  #paint() {
    const { scrollTop, clientHeight } = this.#scroller;
    const height = this.#rowHeight;
    const from = Math.max(0, Math.floor(scrollTop / height) - OVERSCAN);
    const to = Math.min(this.#rows.length, Math.ceil((scrollTop + clientHeight) / height) + OVERSCAN);
    // A row keeps its element while it is in sight, wherever rows that go above it move it to.
    const free = [];
    const held = new Map();
    for (const slot of this.#pool) {
      const at = slot.row ? this.#rows.lowerBound(slot.row.seq) : -1;
      if (at >= from && at < to && this.#rows.at(at) === slot.row) held.set(at, slot);
      else free.push(slot);
    }
    let active = null;
    let taken = 0;
    for (let index = from; index < to; index++) {
      const slot = held.get(index) ?? free[taken++] ?? this.#slot();
      this.#fill(slot, this.#rows.at(index), index);
      if (slot.selected) active = slot.el;
    }
    for (; taken < free.length; taken++) {
      free[taken].el.hidden = true;
      free[taken].row = null;
    }
    clearTimeout(this.#tidying);
    this.#tidying = setTimeout(() => this.#tidy(), 150);
    if (active) this.#scroller.setAttribute("aria-activedescendant", active.id);
    else this.#scroller.removeAttribute("aria-activedescendant");
  }

  // Used over and over, elements get out of order, and selecting text with the mouse goes by their order.
  #tidy() {
    if (!getSelection()?.isCollapsed && this.#sheet.contains(getSelection()?.anchorNode)) return;
    this.#pool.sort((a, b) => (a.row ? a.index : Infinity) - (b.row ? b.index : Infinity) || 0);
    let next = null;
    for (let i = this.#pool.length - 1; i >= 0; i--) {
      const { el } = this.#pool[i];
      if (el.nextSibling !== next) this.#sheet.insertBefore(el, next);
      next = el;
    }
  }

  #slot() {
    const slot = { el: makeRow(), row: null, query: null, index: -1, selected: false };
    slot.el.id = `row-${this.#pool.length}`;
    this.#pool.push(slot);
    this.#sheet.append(slot.el);
    return slot;
  }

  #fill(slot, row, index) {
    const { el } = slot;
    if (el.hidden) el.hidden = false;
    if (slot.row !== row || slot.query !== this.#query) paintRow(el, row, this.#query);
    if (slot.index !== index) el.style.transform = `translateY(${index * this.#rowHeight}px)`;
    const selected = this.selected?.seq === row.seq;
    if (slot.selected !== selected) {
      el.classList.toggle("is-selected", selected);
      el.setAttribute("aria-selected", selected);
    }
    if (selected) {
      el.setAttribute("aria-posinset", index + 1);
      el.setAttribute("aria-setsize", this.#rows.length);
    }
    Object.assign(slot, { row, query: this.#query, index, selected });
  }

  // In a flood the row under the pointer is another one by the time the button comes up: the one pressed counts.
  #clicks(onOpen) {
    let pressed = null;
    const rowOf = (event) => {
      const el = event.target.closest?.(".row");
      return this.#pool.find((slot) => slot.el === el)?.row ?? null;
    };
    this.#sheet.addEventListener("pointerover", (event) => {
      const row = event.target.closest?.(".row-time") ? rowOf(event) : null;
      if (row) event.target.title = timeTitle(row);
    });
    this.#sheet.addEventListener("pointerdown", (event) => {
      pressed = event.button === 0 ? rowOf(event) : null;
    });
    this.#sheet.addEventListener("click", () => {
      const text = getSelection();
      const selecting = text && !text.isCollapsed && this.#sheet.contains(text.anchorNode);
      if (pressed && !selecting) onOpen(pressed);
      pressed = null;
    });
  }
}
