/** Draws the messages of a room. Who reads the end stays there; who reads elsewhere keeps their place, whatever comes above or below. */

import { dayElement, messageElement } from "./message.js";
import { day } from "./times.js";

/** What one person says within so many milliseconds belongs together. */
const TOGETHER = 300_000;
/** So near the end, in pixels, is at the end; so near the top more is read. */
const END = 60;
const TOP = 600;

export class Timeline {
  #me;
  #actions;
  #scroller = document.getElementById("scroller");
  #list = document.getElementById("messages");
  #top = document.getElementById("top");
  #end = document.getElementById("end");
  #history;
  /** By id: `{record, isNext, element}`. */
  #drawn = new Map();
  #isAtEnd = true;
  #isDue = false;

  /** `actions`: what `edit` and `remove` of a message do. */
  constructor(me, actions) {
    this.#me = me;
    this.#actions = actions;
    this.#scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#end.addEventListener("click", () => this.follow());
    // The keyboard of a phone takes half of it.
    new ResizeObserver(() => this.#isAtEnd && this.follow()).observe(this.#scroller);
  }

  /** Show another room. */
  show(history) {
    this.#history = history;
    this.#isAtEnd = true;
    this.draw();
  }

  /** Go to the end, and stay there. */
  follow() {
    this.#isAtEnd = true;
    this.#end.hidden = true;
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  /** Soon: a page that comes is drawn once. */
  draw() {
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      this.#draw();
    });
  }

  #draw() {
    const { records, isLoading, isComplete } = this.#history;
    const ids = new Set(records.map(({ id }) => id));
    const place = this.#isAtEnd ? undefined : this.#place(ids);
    const isLonger = records.length > 0 && !this.#drawn.has(records.at(-1).id);

    this.#arrange(this.#elements(records));
    for (const id of this.#drawn.keys()) if (!ids.has(id)) this.#drawn.delete(id);
    if (isLoading) this.#top.textContent = "Reading …";
    else if (!isComplete) this.#top.textContent = "More above";
    else this.#top.textContent = records.length > 0 ? "Here it began." : "Nobody has said anything yet.";

    if (!place) this.follow();
    else {
      this.#scroller.scrollTop += this.#offset(place.id) - place.offset;
      if (isLonger) this.#end.hidden = false;
    }
    this.#look();
  }

  #elements(records) {
    const elements = [];
    let before;
    for (const record of records) {
      const isNewDay = day(before?.at) !== day(record.at);
      if (isNewDay) elements.push(dayElement(day(record.at)));
      const isNext = !isNewDay && before?.from === record.from && before?.name === record.name && record.at - before.at < TOGETHER;
      elements.push(this.#element(record, isNext));
      before = record;
    }
    return elements;
  }

  #element(record, isNext) {
    const drawn = this.#drawn.get(record.id);
    if (drawn?.record === record && drawn.isNext === isNext) return drawn.element;
    const element = messageElement(record, { isMine: record.from === this.#me.id, isNext }, this.#actions);
    this.#drawn.set(record.id, { record, isNext, element });
    return element;
  }

  /** What stays is not touched: it may have the focus, and is not to be read out again. */
  #arrange(elements) {
    let at = this.#list.firstChild;
    const wanted = new Set(elements);
    for (const element of elements) {
      while (at && !wanted.has(at)) {
        const next = at.nextSibling;
        at.remove();
        at = next;
      }
      if (at === element) at = at.nextSibling;
      else this.#list.insertBefore(element, at);
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  }

  /** The first message in sight that is there afterwards too, and where. */
  #place(ids) {
    const top = this.#scroller.getBoundingClientRect().top;
    for (const element of this.#list.children) {
      const { id } = element.dataset;
      if (ids.has(id) && element.getBoundingClientRect().bottom > top) return { id, offset: this.#offset(id) };
    }
    return undefined;
  }

  #offset(id) {
    return this.#drawn.get(id).element.getBoundingClientRect().top;
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    this.#isAtEnd = scrollHeight - scrollTop - clientHeight < END;
    if (this.#isAtEnd) this.#end.hidden = true;
    this.#look();
  }

  #look() {
    if (this.#scroller.scrollTop < TOP) this.#history?.older();
  }
}
