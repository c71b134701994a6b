/** Keys, wherever the focus is, except where one types. */

/** `act`: one function for each thing a key does; see the `switch`. */
export function listenToKeys(act) {
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || document.querySelector("dialog[open]")) return;
    const typing = event.target.closest?.("input, textarea") !== null && event.target !== document.body;
    if (event.key === "Escape") return act.escape(event.target);
    if ((event.ctrlKey || event.metaKey) && event.key === "c" && !typing) {
      if (getSelection()?.isCollapsed !== false && act.copySelected()) event.preventDefault();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (typing ? inField(event, act) : elsewhere(event, act)) event.preventDefault();
  });
}

// From the filter one goes down into the lines it found.
function inField(event, act) {
  if (event.target.id !== "filter" || !["ArrowDown", "Enter"].includes(event.key)) return false;
  act.toLines();
  return true;
}

/** True when the key was ours. */
function elsewhere(event, act) {
  // A long record is scrolled with the keys that browsers have for it.
  if (event.target.closest?.(".detail-body") && / |Arrow|Home|End/.test(event.key)) return false;
  const onControl = event.target.closest?.("button, a") != null;
  // Shift turns digits into other signs on most layouts: the key's place tells which it was.
  const digit = /^Digit([1-6])$/.exec(event.code);
  if (digit) {
    act.level(Number(digit[1]) - 1, event.shiftKey);
    return true;
  }
  switch (event.key) {
    case "/": act.focusFilter(); return true;
    case "f": act.follow(); return true;
    case "p": act.pause(); return true;
    case "g": case "Home": act.top(); return true;
    case "G": case "End": act.end(); return true;
    case "j": case "ArrowDown": act.move(1); return true;
    case "k": case "ArrowUp": act.move(-1); return true;
    case "?": act.help(); return true;
    case " ": if (onControl) return false; act.pause(); return true;
    case "Enter": if (onControl) return false; act.open(); return true;
    default: return false;
  }
}
