/** How many messages of others came into rooms that were not looked at. */

import { kept, keep } from "./keep.js";

export class Unread {
  #live;
  #me;
  #changed;
  #began = kept("began") ?? keep("began", Date.now());
  #rooms = [];
  #looked;
  /** By room: what came since it was looked at. */
  #news = new Map();

  /** `changed` is called when a count is another. */
  constructor(live, me, changed) {
    this.#live = live;
    this.#me = me;
    this.#changed = changed;
  }

  /** These rooms there are. */
  set rooms(rooms) {
    this.#rooms = rooms;
    this.#arrange();
  }

  /** Somebody looks at this room; `undefined`: at none. */
  look(room) {
    this.#looked = room;
    this.#arrange();
  }

  /** In the room that is looked at everything was seen that was written up to then. */
  seen(at) {
    const name = `seen:${this.#looked}`;
    if (this.#looked !== undefined && at > kept(name, 0)) keep(name, at);
  }

  in(room) {
    return this.#news.get(room)?.size ?? 0;
  }

  get total() {
    return [...this.#news.values()].reduce((sum, { size }) => sum + size, 0);
  }

  #arrange() {
    const wanted = new Set(this.#rooms.filter((room) => room !== this.#looked));
    for (const [room, news] of this.#news) {
      if (wanted.has(room)) continue;
      news.close();
      this.#news.delete(room);
    }
    for (const room of wanted) if (!this.#news.has(room)) this.#news.set(room, this.#since(room));
    this.#changed();
  }

  #since(room) {
    const at = { $gt: kept(`seen:${room}`, this.#began) };
    const news = this.#live.collection("ChatMessage", { where: { room, at, from: { $ne: this.#me.id } } });
    news.on("update", this.#changed);
    return news;
  }
}
