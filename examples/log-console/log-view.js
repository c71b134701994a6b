/**
 * The window on a collection: it may hold 100,000 models, of which only those in sight are elements, used over and over.
 *
 * Drawn at most once a frame, however many records came since the last one.
 */

import { levelOf, messageOf, restOf, timeOf } from "./format.js";

const ROW_PX = 22;
/** Rows drawn above and below what is in sight, so that scrolling does not show bare ground. */
const MARGIN = 10;

export class LogView {
  following = true;
  #scroller;
  #sheet;
  #collection;
  #onDraw;
  #rows = [];
  #asked = false;
  #top = 0;

  /** `onOpen(model)` when a row is chosen, `onDraw()` after each drawing. */
  constructor(scroller, sheet, collection, { onOpen, onDraw }) {
    this.#scroller = scroller;
    this.#sheet = sheet;
    this.#collection = collection;
    this.#onDraw = onDraw;
    collection.on("update reset change", () => this.draw());
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(scroller);
    sheet.addEventListener("click", (event) => {
      const row = this.#rows.find((one) => one.element === event.target.closest(".row"));
      if (row?.model) onOpen(row.model);
    });
  }

  /** Stay at the newest line. */
  follow() {
    this.following = true;
    this.draw();
  }

  /** Soon. */
  draw() {
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame(() => {
      this.#asked = false;
      this.#draw();
    });
  }

  // Up is away from the end, and the end is where following begins again.
  #scrolled() {
    const { scrollTop, clientHeight, scrollHeight } = this.#scroller;
    if (scrollTop < this.#top - 1) this.following = false;
    else if (scrollTop + clientHeight >= scrollHeight - 2) this.following = true;
    this.#top = scrollTop;
    this.draw();
  }

  #draw() {
    const { models } = this.#collection;
    const height = models.length * ROW_PX;
    this.#sheet.style.height = `${height}px`;
    const { clientHeight } = this.#scroller;
    if (this.following) {
      this.#scroller.scrollTop = height;
      this.#top = this.#scroller.scrollTop;
    }
    const from = Math.max(0, Math.floor(this.#scroller.scrollTop / ROW_PX) - MARGIN);
    const to = Math.min(models.length, Math.ceil((this.#scroller.scrollTop + clientHeight) / ROW_PX) + MARGIN);
    // A row belongs to its index, modulo as many as there are: scrolling by one line fills one row anew.
    while (this.#rows.length < to - from) this.#rows.push(this.#makeRow());
    const count = this.#rows.length;
    const used = new Set();
    for (let index = from; index < to; index++) {
      const row = this.#rows[index % count];
      used.add(row);
      fill(row, models[index], index);
    }
    for (const row of this.#rows) if (!used.has(row)) fill(row, null, -1);
    this.#onDraw();
  }

  #makeRow() {
    const element = document.createElement("div");
    element.className = "row";
    element.setAttribute("role", "listitem");
    const cell = (name, parent) => parent.appendChild(Object.assign(document.createElement("span"), { className: name }));
    const time = cell("time", element);
    const level = cell("level", element);
    const text = cell("text", element);
    const message = cell("message", text);
    const rest = cell("rest", text);
    // A line of a right-to-left language must not turn its neighbours round.
    message.dir = "auto";
    this.#sheet.append(element);
    return { element, time, level, message, rest, model: null, index: -1, revision: null };
  }
}

function fill(row, model, index) {
  row.element.hidden = model === null;
  if (row.index !== index) row.element.style.transform = `translateY(${index * ROW_PX}px)`;
  const revision = model && (model.get("_rev") ?? model.cid);
  if (model && (row.model !== model || row.revision !== revision)) {
    const record = model.attributes;
    row.element.dataset.level = levelOf(record);
    row.time.textContent = timeOf(record);
    row.level.textContent = levelOf(record);
    row.message.textContent = messageOf(record);
    row.rest.textContent = restOf(record);
  }
  Object.assign(row, { model, index, revision });
}
