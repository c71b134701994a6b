/** What the page says about itself: the light, the counts, the title. */

import { count } from "./format.js";

const PHASES = {
  connecting: ["connecting", "Connecting to"],
  connected: ["connected", "Connected to"],
  lost: ["lost, retrying", "No connection to"],
  closed: ["closed", "The server closed the connection to"],
};

export class Status {
  #at;
  #noticeTimer = 0;
  #errorsSeen = 0;

  /** `at`: the elements `light`, `lightText`, `shown`, `kept`, `rate`, `notice`. */
  constructor(at) {
    this.#at = at;
  }

  light({ phase, url, reason }) {
    const { light, lightText } = this.#at;
    const [text, long] = PHASES[phase];
    light.dataset.phase = phase;
    light.title = `${long} ${url}${reason ? ` (${reason})` : ""}`;
    // The same words again would be read out again.
    if (lightText.textContent !== text) lightText.textContent = text;
  }

  counts({ shown, total, dropped, capacity, paused, behind, ready }) {
    const { shown: shownAt, kept } = this.#at;
    put(shownAt, !ready ? "" : shown === total ? lines(total) : `${count(shown)} of ${lines(total)}`);
    put(kept, [
      paused ? `paused${behind > 0 ? `, ${count(behind)} new` : ""}` : "",
      dropped > 0 ? `oldest ${count(dropped)} let go (keeps ${count(capacity)})` : "",
    ].filter(Boolean).join(" · "));
  }

  rate(perSecond) {
    const n = perSecond >= 10 ? count(Math.round(perSecond)) : perSecond.toFixed(1).replace(/\.0$/, "");
    put(this.#at.rate, `${n} lines/s`);
  }

  /** Something that was done, said for a moment. */
  notice(text) {
    clearTimeout(this.#noticeTimer);
    put(this.#at.notice, text);
    this.#noticeTimer = setTimeout(() => put(this.#at.notice, ""), 4000);
  }

  /** `errors` that came so far: those that came unseen are counted in the title. */
  title(model, errors) {
    if (!document.hidden) this.#errorsSeen = errors;
    const unseen = errors - this.#errorsSeen;
    const title = `${unseen > 0 ? `(${count(unseen)}) ` : ""}${model} · backsync`;
    if (document.title !== title) document.title = title;
  }
}

const lines = (n) => `${count(n)} ${n === 1 ? "line" : "lines"}`;

function put(el, text) {
  if (el.textContent !== text) el.textContent = text;
}
