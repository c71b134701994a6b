/** Who is here and who is typing, in words and letters. */

import { avatar } from "./avatar.js";

/** So many are shown by name. */
const SHOWN = 6;

export function drawPeople(people, me) {
  const list = document.getElementById("people");
  // Oneself last.
  const sorted = [...people].sort((a, b) => (a.person === me.id) - (b.person === me.id));
  const items = sorted.slice(0, SHOWN).map(({ person, name }) => {
    const item = document.createElement("li");
    const words = document.createElement("span");
    words.className = "name";
    words.dir = "auto";
    words.textContent = person === me.id ? "you" : String(name);
    item.title = String(name);
    item.append(avatar(person, name), words);
    return item;
  });
  if (sorted.length > SHOWN) items.push(Object.assign(document.createElement("li"), { textContent: `+${sorted.length - SHOWN}` }));
  list.replaceChildren(...items);
}

export function drawTyping(names) {
  const element = document.getElementById("typing");
  const [first, second] = names;
  if (names.length === 0) element.textContent = "";
  else if (names.length === 1) element.textContent = `${first} is typing`;
  else if (names.length === 2) element.textContent = `${first} and ${second} are typing`;
  else element.textContent = `${names.length} people are typing`;
}

export function drawMe(me) {
  const element = document.getElementById("me");
  const name = Object.assign(document.createElement("span"), { className: "name", dir: "auto", textContent: me.name });
  element.replaceChildren(avatar(me.id, me.name), name);
}
