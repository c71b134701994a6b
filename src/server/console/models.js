/** Which model is looked at: two tabs, a field for any other, and the address bar. */

import { element } from "./paint.js";

export const SERVER_LOG = "ServerLog";
export const LOG = "Log";

/** The server's rule for names, less those of the system. */
export const isModelName = (name) => /^[A-Za-z0-9_.-]{1,128}$/.test(name);

/** The model that the address names. */
export function modelInAddress() {
  const named = new URLSearchParams(location.search).get("model");
  return named !== null && isModelName(named) ? named : SERVER_LOG;
}

export class Models {
  #tabs;
  #onPick;

  constructor(tabs, form, field, onPick) {
    this.#tabs = tabs;
    this.#onPick = onPick;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const name = field.value.trim();
      if (!isModelName(name)) return wrong(field, name !== "");
      field.value = "";
      field.blur();
      onPick(name);
    });
    field.addEventListener("input", () => wrong(field, field.value.trim() !== "" && !isModelName(field.value.trim())));
  }

  show(model) {
    const names = [SERVER_LOG, LOG];
    if (!names.includes(model)) names.push(model);
    this.#tabs.replaceChildren(...names.map((name) => this.#tab(name, name === model)));
    const address = new URL(location.href);
    address.searchParams.set("model", model);
    history.replaceState(null, "", address);
  }

  // A link, so that it can be opened in another tab of the browser.
  #tab(name, current) {
    const tab = element("a", "tab", name);
    tab.href = `?model=${encodeURIComponent(name)}`;
    tab.title = name;
    if (current) tab.setAttribute("aria-current", "page");
    tab.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.#onPick(name);
    });
    return tab;
  }
}

function wrong(field, isWrong) {
  field.classList.toggle("is-wrong", isWrong);
  field.setAttribute("aria-invalid", isWrong);
  field.title = isWrong ? "1 to 128 of letters, digits, _ - ." : "";
}
