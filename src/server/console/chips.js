/** One toggle for each level, with how many lines there are of it. */

import { count, shortCount } from "./format.js";
import { ALL_LEVELS, LEVELS, OTHER, hasLevel, soloLevel, toggleLevel } from "./levels.js";
import { element } from "./paint.js";

export class Chips {
  mask = ALL_LEVELS;
  #chips;
  #onChange;

  constructor(group, onChange) {
    this.#onChange = onChange;
    this.#chips = LEVELS.map((name, level) => this.#make(name, level));
    group.append(...this.#chips.map((chip) => chip.el));
  }

  toggle(level, solo) {
    this.set(solo ? soloLevel(this.mask, level) : toggleLevel(this.mask, level));
  }

  set(mask) {
    this.mask = mask;
    for (const [level, { el }] of this.#chips.entries()) el.setAttribute("aria-pressed", hasLevel(mask, level));
    this.#onChange();
  }

  update(counts) {
    for (const [level, chip] of this.#chips.entries()) {
      if (chip.shown === counts[level]) continue;
      chip.shown = counts[level];
      chip.number.textContent = shortCount(counts[level]);
      if (level === OTHER) chip.el.hidden = counts[level] === 0;
      chip.el.title = `${count(counts[level])} ${LEVELS[level]}${level < OTHER ? ` (key ${level + 1})` : ""}; with Shift, only these`;
    }
  }

  #make(name, level) {
    const el = element("button", "chip");
    el.type = "button";
    el.dataset.level = name;
    el.hidden = level === OTHER;
    el.setAttribute("aria-pressed", "true");
    const number = element("b", "", "0");
    el.append(element("i"), element("span", "", name), number);
    el.addEventListener("click", (event) => this.toggle(level, event.shiftKey || event.altKey));
    return { el, number, shown: 0 };
  }
}
