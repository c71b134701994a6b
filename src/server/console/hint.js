/** The small form of the line that pipes one's own log here, until it is dismissed, and what copying it does. */

import { copyText } from "./clipboard.js";
import { LOG, SERVER_LOG } from "./models.js";

export class Hint {
  #el;
  #command;
  #openLog;
  #on;
  #dismissed = false;

  /** `on`: `{command(), model(), watch(model), notice(text), change()}` */
  constructor(el, on) {
    this.#el = el;
    this.#on = on;
    this.#command = el.querySelector("[data-command]");
    this.#openLog = el.querySelector("[data-open-log]");
    this.#openLog.addEventListener("click", () => on.watch(LOG));
    el.querySelector("[data-copy-command]").addEventListener("click", (event) => this.copy(event.currentTarget));
    el.querySelector("[data-dismiss]").addEventListener("click", () => {
      this.#dismissed = true;
      on.change();
    });
  }

  /** For another model. */
  renew() {
    this.#command.textContent = this.#on.command();
    this.#openLog.hidden = true;
  }

  /** `elsewhere`: the page shows the line large, which makes the small one needless. */
  draw(elsewhere) {
    this.#el.hidden = this.#dismissed || elsewhere;
  }

  /** Copies the line for the button pressed, here or in the empty state, and offers the way to where it leads. */
  async copy(button) {
    if (!(await copyText(this.#on.command()))) return this.#on.notice("Could not copy: select the line and copy it");
    this.#on.notice("Copied the command");
    if (this.#on.model() !== SERVER_LOG) return;
    if (this.#el.contains(button)) this.#openLog.hidden = false;
    else {
      button.textContent = this.#openLog.textContent;
      button.addEventListener("click", () => this.#on.watch(LOG), { once: true });
    }
  }
}
