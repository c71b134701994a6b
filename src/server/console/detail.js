/** The panel with one whole record: its message with all lines and colours, and its JSON. */

import { copyText } from "./clipboard.js";
import { clock, describe, fullTime, timeOf } from "./format.js";
import { LEVELS } from "./levels.js";
import { coloured, element, highlit } from "./paint.js";

/** Beyond this much a panel would stall the page; copying gives all of it. */
const MAX_SHOWN = 200_000;
const MAX_TINTED = 40_000;

export class Detail {
  row = null;
  #panel;
  #on;
  #wrapped = true;

  /** `on`: `{close(), move(step), notice(text)}` */
  constructor(panel, on) {
    this.#panel = panel;
    this.#on = on;
  }

  get open() {
    return this.row !== null;
  }

  close() {
    this.row = null;
    this.#panel.hidden = true;
    this.#panel.replaceChildren();
  }

  /** Shows the row; `gone` when the server has deleted it since. */
  show(row, query, gone) {
    const kept = this.row?.id === row.id ? this.#panel.querySelector(".detail-body")?.scrollTop : 0;
    this.row = row;
    this.#panel.hidden = false;
    this.#panel.replaceChildren(this.#head(gone), this.#body(query));
    this.#panel.querySelector(".detail-body").scrollTop = kept ?? 0;
  }

  #head(gone) {
    const { record, level } = this.row;
    const head = element("div", "detail-head");
    const badge = element("span", "badge", LEVELS[level]);
    badge.dataset.level = LEVELS[level];
    const when = timeOf(record);
    const time = element("span", "detail-time", when ? fullTime(when.at) : "no time");
    if (when) time.title = `${new Date(when.at).toISOString()}${when.own ? "" : " (arrival, from the id)"}\n${clock(when.at)} here`;
    head.append(badge, time, ...(gone ? [element("span", "detail-gone", "deleted")] : []), element("span", "spring"));
    head.append(
      this.#button("‹", "Previous line", () => this.#on.move(-1)),
      this.#button("›", "Next line", () => this.#on.move(1)),
      this.#button("×", "Close", () => this.#on.close()),
    );
    return head;
  }

  #body(query) {
    const { record } = this.row;
    const body = element("div", this.#wrapped ? "detail-body is-wrapped" : "detail-body");
    body.tabIndex = 0;
    body.setAttribute("role", "region");
    body.setAttribute("aria-label", "Message and JSON");
    const { message } = describe(record);
    const json = JSON.stringify(record, null, 2);
    const text = element("pre");
    text.append(...coloured(message.slice(0, MAX_SHOWN), query, false), more(message));
    const wrap = element("button", "button quiet small", this.#wrapped ? "Unwrap" : "Wrap");
    wrap.type = "button";
    wrap.addEventListener("click", () => {
      this.#wrapped = body.classList.toggle("is-wrapped");
      wrap.textContent = this.#wrapped ? "Unwrap" : "Wrap";
    });
    const code = element("pre");
    code.append(...tinted(json.slice(0, MAX_SHOWN), query), more(json));
    body.append(
      this.#label("Message", wrap, this.#copier("message", message)),
      text,
      this.#label("Record", this.#copier("JSON", json)),
      code,
    );
    return body;
  }

  #label(text, ...buttons) {
    const label = element("div", "detail-label");
    label.append(text, element("span", "spring"), ...buttons);
    return label;
  }

  #copier(what, text) {
    const button = element("button", "button quiet small", "Copy");
    button.type = "button";
    button.setAttribute("aria-label", `Copy the ${what}`);
    button.addEventListener("click", async () => this.#on.notice((await copyText(text)) ? `Copied the ${what}` : "Could not copy"));
    return button;
  }

  #button(sign, label, act) {
    const button = element("button", "mini", sign);
    button.type = "button";
    button.title = label;
    button.setAttribute("aria-label", label);
    button.addEventListener("click", act);
    return button;
  }
}

const more = (text) => (text.length > MAX_SHOWN ? `\n… ${text.length - MAX_SHOWN} more characters` : "");

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\b(?:true|false|null)\b/g;

function tinted(json, query) {
  if (json.length > MAX_TINTED) return highlit(json, query);
  const nodes = [];
  let at = 0;
  for (const token of json.matchAll(TOKEN)) {
    const [whole, text, colon] = token;
    const kind = colon ? "json-key" : text ? "json-text" : /^[-\d]/.test(whole) ? "json-number" : "json-word";
    const span = element("span", kind);
    span.append(...highlit(text ?? whole, query));
    nodes.push(json.slice(at, token.index), span, colon ?? "");
    at = token.index + whole.length;
  }
  nodes.push(json.slice(at));
  return nodes;
}
