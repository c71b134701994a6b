/** Who is typing. A record lives for a few seconds and is written anew while somebody goes on, so it goes by itself in any case. */

import { newId } from "./keep.js";

/** Milliseconds: shorter than the server keeps such a record. */
const AGAIN = 4000;
const IDLE = 5000;

export class Typing {
  #live;
  #me;
  #changed;
  #typing;
  #room;
  #id;
  #since = 0;
  #timer;

  /** `changed` is called when others begin or end. */
  constructor(live, me, changed) {
    this.#live = live;
    this.#me = me;
    this.#changed = changed;
  }

  enter(room) {
    this.stopped();
    this.#typing?.close();
    this.#room = room;
    this.#typing = this.#live.collection("Typing", { where: { room } });
    this.#typing.on("update", this.#changed);
    this.#changed();
  }

  /** Names of the others. */
  get names() {
    if (this.#typing?.state !== "live") return [];
    const others = this.#typing.records.filter(({ person }) => person !== this.#me.id);
    return [...new Map(others.map(({ person, name }) => [person, String(name)])).values()];
  }

  typed() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.stopped(), IDLE);
    // It says nothing later.
    if (this.#live.state !== "open" || Date.now() - this.#since < AGAIN) return;
    const before = this.#id;
    this.#id = newId();
    this.#since = Date.now();
    const { id: person, name } = this.#me;
    this.#live.upsert("Typing", { id: this.#id, room: this.#room, person, name }, { timeout: AGAIN }).catch(() => {});
    if (before !== undefined) this.#delete(before);
  }

  stopped() {
    clearTimeout(this.#timer);
    if (this.#id !== undefined) this.#delete(this.#id);
    this.#id = undefined;
    this.#since = 0;
  }

  #delete(id) {
    this.#live.delete("Typing", id, { timeout: AGAIN }).catch(() => {});
  }
}
