/** Who is here: a record for each tab, which goes with its session. A session that was lost is told by a record that is not there. */

import { newId } from "./keep.js";

export class Presence {
  #live;
  #users;
  #wanted;
  #id = newId();
  #isTold = false;
  #isTelling = false;

  /** `changed` is called when somebody came or went. */
  constructor(live, changed) {
    this.#live = live;
    this.#users = live.collection("User");
    this.#users.on("update", () => {
      this.#look();
      changed();
    });
    addEventListener("pagehide", () => void this.#leave());
  }

  /** Tell everybody that this person is in that room. */
  be({ id: person, name }, room) {
    this.#wanted = { person, name, room };
    this.#isTold = false;
    this.#look();
  }

  /** The people in a room, each once, however many tabs they have. */
  in(room) {
    const people = new Map();
    for (const { person, name, room: where } of this.#users) if (where === room) people.set(person, { person, name });
    return [...people.values()];
  }

  #look() {
    if (!this.#wanted || this.#isTelling || this.#users.state !== "live") return;
    if (this.#isTold && this.#users.has(this.#id)) return;
    this.#isTold = this.#isTelling = true;
    const over = (isDone) => {
      this.#isTelling = false;
      this.#isTold &&= isDone;
      // What is refused is tried again with the next change, not at once.
      if (isDone) this.#look();
    };
    this.#live.upsert("User", { id: this.#id, ...this.#wanted }).then(() => over(true), () => over(false));
  }

  /** Sooner than the server would notice. A page that is shown again hears of it, and is here again. */
  async #leave() {
    if (this.#live.state === "open") await this.#live.delete("User", this.#id).catch(() => {});
  }
}
