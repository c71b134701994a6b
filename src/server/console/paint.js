/** From a record to elements: one list row, a message with its colours, marked matches. All text goes in as text nodes. */

import { runs } from "./ansi.js";
import { clock, describe, fullTime, timeOf } from "./format.js";
import { LEVELS, OTHER } from "./levels.js";
import { matchesIn } from "./query.js";

/** No window shows more of one line; the detail panel has it all. */
const MAX_LINE = 1200;

export function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/** An empty list row, to be filled again and again by `paintRow`. */
export function makeRow() {
  const row = element("div", "row");
  row.setAttribute("role", "option");
  row.append(element("span", "row-time"), element("span", "row-level"), element("span", "row-text"));
  return row;
}

export function paintRow(el, row, query) {
  const [time, level, text] = el.children;
  const when = timeOf(row.record);
  time.textContent = when ? clock(when.at) : "";
  time.classList.toggle("is-arrival", when !== null && !when.own);
  const name = LEVELS[row.level];
  level.textContent = row.level === OTHER ? "" : name;
  el.dataset.level = name;

  const { message, target, fields } = describe(row.record);
  const parts = [];
  if (target) parts.push(marked("row-target", target, query), " ");
  if (message === "") parts.push(element("span", "row-blank", fields.length > 0 ? "" : "(empty)"));
  else parts.push(...coloured(message.slice(0, MAX_LINE), query, true));
  if (message.length > MAX_LINE) parts.push("…");
  let room = MAX_LINE - message.length;
  if (fields.length > 0) {
    const span = element("span", "row-fields");
    for (const [key, value] of fields) {
      if (room <= 0) break;
      const pieces = [{ text: `${key}=`, style: "" }, { text: value.slice(0, room), style: "row-value" }];
      span.append("  ", ...styled(pieces, query, false));
      room -= key.length + value.length;
    }
    parts.push(span);
  }
  text.replaceChildren(...parts);
}

/** What the time of a row says when pointed at: made only then. */
export function timeTitle(row) {
  const when = timeOf(row.record);
  return when ? `${fullTime(when.at)}${when.own ? "" : " (arrival, from the id)"}` : "no time in this record";
}

/** The message as nodes, with its own colours and the matches marked; `oneLine` shows newlines as a sign. */
export function coloured(message, query, oneLine) {
  return styled(runs(message), query, oneLine);
}

/** Pieces `{text, style}` of one text as nodes; a match may go over several of them. */
function styled(pieces, query, oneLine) {
  const found = matchesIn(pieces.map((piece) => piece.text).join(""), query);
  const nodes = [];
  let at = 0;
  for (const { text, style } of pieces) {
    const shift = found.length > 0 ? found.map(([from, to]) => [from - at, to - at]) : found;
    at += text.length;
    const inner = split(text, shift, oneLine);
    if (style === "") nodes.push(...inner);
    else {
      const span = element("span", style);
      span.append(...inner);
      nodes.push(span);
    }
  }
  return nodes;
}

function marked(className, text, query) {
  const span = element("span", className);
  span.append(...highlit(text, query));
  return span;
}

export const highlit = (text, query) => split(text, matchesIn(text, query), false);

function split(text, found, oneLine) {
  const nodes = [];
  let at = 0;
  for (const [from, to] of found) {
    if (to <= 0 || from >= text.length) continue;
    const start = Math.max(from, at);
    if (start > at) nodes.push(...lines(text.slice(at, start), oneLine));
    const mark = element("mark");
    mark.append(...lines(text.slice(start, to), oneLine));
    nodes.push(mark);
    at = Math.min(to, text.length);
  }
  if (at < text.length) nodes.push(...lines(text.slice(at), oneLine));
  return nodes;
}

function lines(text, oneLine) {
  if (!oneLine || !text.includes("\n")) return [text];
  const nodes = [];
  text.split("\n").forEach((line, index) => {
    if (index > 0) nodes.push(element("span", "newline", "⏎"));
    if (line !== "") nodes.push(line);
  });
  return nodes;
}
