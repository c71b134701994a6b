/** Who writes: an id for good, and a name. */

import { kept, keep, newId } from "./keep.js";

export class Me {
  id = kept("id") ?? keep("id", newId());
  name = kept("name", "");
  #dialog = document.getElementById("who");
  #input = document.getElementById("name");

  /** `changed` is called with every new name. */
  constructor(changed) {
    this.#dialog.addEventListener("close", () => {
      const name = this.#input.value.trim();
      if (name !== "") this.name = keep("name", name);
      if (this.name === "") this.ask();
      else changed();
    });
  }

  ask() {
    this.#input.value = this.name;
    this.#dialog.showModal();
  }
}
