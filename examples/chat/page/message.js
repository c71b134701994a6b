/** One message as an element. */

import { avatar, colour } from "./avatar.js";
import { isEmoji, richText } from "./rich-text.js";
import { full, hour, machine } from "./times.js";

/** `isMine`: it can be edited and deleted; `isNext`: the one before is of the same person. */
export function messageElement(record, { isMine, isNext }, { edit, remove }) {
  const text = String(record.text ?? "");
  const element = make("li", "message");
  element.dataset.id = record.id;
  // Can be tapped, which brings its buttons.
  element.tabIndex = -1;
  element.classList.toggle("mine", isMine);
  element.classList.toggle("next", isNext);
  // What the server has has a revision.
  element.classList.toggle("waiting", record._rev === undefined);
  element.classList.toggle("emoji", isEmoji(text));
  colour(element, record.from);

  const name = make("b", "name", String(record.name ?? "somebody"));
  name.dir = "auto";
  const words = make("p", "text");
  words.dir = "auto";
  words.append(richText(text));
  const time = make("time", "", hour(record.at));
  time.dateTime = machine(record.at);
  time.title = full(record.at);
  const foot = make("span", "foot");
  foot.append(time);
  if (record.edited) foot.append(make("span", "edited", "edited"));
  if (record._rev === undefined) foot.append(make("span", "state", "waiting"));
  const bubble = make("div", "bubble");
  bubble.append(name, words, foot);
  element.append(avatar(record.from, record.name), bubble);
  if (isMine) element.append(actions(record, edit, remove));
  return element;
}

/** Between messages of two days. */
export function dayElement(day) {
  return make("li", "day", day);
}

function actions(record, edit, remove) {
  const element = make("div", "actions");
  const change = button("Edit", () => edit(record));
  const away = button("Delete", () => {
    if (away.dataset.sure) return remove(record);
    away.dataset.sure = "yes";
    away.textContent = "Really?";
  });
  away.addEventListener("blur", () => {
    delete away.dataset.sure;
    away.textContent = "Delete";
  });
  element.append(change, away);
  return element;
}

function button(text, pressed) {
  const element = make("button", "", text);
  element.type = "button";
  element.addEventListener("click", pressed);
  return element;
}

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}
