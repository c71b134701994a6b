/** What people write, as nodes: addresses become links, and nothing becomes markup. */

const ADDRESS = /\bhttps?:\/\/[^\s<>"]+/giu;
/** What rather ends the sentence than the address. */
const END = /[.,;:!?'"…»”’]+$/u;
const EMOJI = /^(?:\p{Extended_Pictographic}[\p{Emoji_Modifier}\u200d\ufe0f\p{Extended_Pictographic}]*|\p{Regional_Indicator}{2}|\s){1,6}$/u;

export function richText(text) {
  const nodes = document.createDocumentFragment();
  let done = 0;
  for (const { 0: found, index } of text.matchAll(ADDRESS)) {
    const address = withoutEnd(found);
    nodes.append(text.slice(done, index), link(address));
    done = index + address.length;
  }
  nodes.append(text.slice(done));
  return nodes;
}

/** A few of them and nothing else are shown large. */
export function isEmoji(text) {
  return text.length <= 60 && EMOJI.test(text);
}

function withoutEnd(found) {
  const address = found.replace(END, "");
  const count = (bracket) => address.split(bracket).length;
  // A bracket that was opened before the address is closed behind it.
  return address.endsWith(")") && count(")") > count("(") ? withoutEnd(address.slice(0, -1)) : address;
}

function link(address) {
  const element = document.createElement("a");
  element.href = address;
  element.target = "_blank";
  element.rel = "noopener noreferrer";
  element.textContent = address;
  return element;
}
