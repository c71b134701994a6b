/** A person as a coloured letter: the same for everybody, as it is made of who they are. */

const graphemes = Intl.Segmenter && new Intl.Segmenter();

/** `person`: the id; the colour is made of it. */
export function avatar(person, name) {
  const element = document.createElement("span");
  element.className = "avatar";
  element.setAttribute("aria-hidden", "true");
  element.textContent = firstOf(String(name ?? "").trim()).toUpperCase() || "?";
  colour(element, person);
  return element;
}

export function colour(element, person) {
  let hash = 7;
  for (const character of String(person)) hash = (Math.imul(hash, 31) + character.codePointAt(0)) >>> 0;
  element.style.setProperty("--hue", hash % 360);
}

function firstOf(text) {
  if (!graphemes) return [...text][0] ?? "";
  return graphemes.segment(text)[Symbol.iterator]().next().value?.segment ?? "";
}
