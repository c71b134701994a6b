/** The rooms: a list to choose from, and a line to make another. The room one is in is the page's fragment. */

export const FIRST = "lobby";

export class Rooms {
  #rooms;
  #list = document.getElementById("rooms");
  #items = new Map();
  #entered;

  /** `entered(room)` is called when another one is, `changed()` when there are others. */
  constructor(client, entered, changed) {
    this.#rooms = client.collection("Room", { sort: (a, b) => String(a.name).localeCompare(String(b.name)) });
    this.#entered = entered;
    this.#rooms.on("update", changed);
    addEventListener("hashchange", () => this.enter());
    const name = document.getElementById("new-room-name");
    document.getElementById("new-room").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#make(name.value);
      name.value = "";
    });
  }

  /** The id of the one we are in. */
  get current() {
    try {
      return decodeURIComponent(location.hash.slice(1)) || FIRST;
    } catch {
      return FIRST;
    }
  }

  get ids() {
    return this.#rooms.records.map(({ id }) => id);
  }

  nameOf(room) {
    return String(this.#rooms.get(room)?.name ?? room);
  }

  /** Be in the room that the page's address names; one that is not there comes into being. */
  enter() {
    const room = this.current;
    const make = () => room === this.current && !this.#rooms.has(room) && this.#write(room, room);
    // A server that does not list them may still have them.
    this.#rooms.ready.then(make, () => {});
    this.#entered(room);
  }

  /** `of(room)`: `{unread, people}`. */
  draw(of) {
    const rooms = this.#rooms.records.map(({ id }) => id);
    for (const [id, item] of this.#items) {
      if (rooms.includes(id)) continue;
      item.remove();
      this.#items.delete(id);
    }
    for (const [at, id] of rooms.entries()) {
      const item = this.#item(id);
      const { unread, people } = of(id);
      const [link] = item.children;
      const [name, here, badge] = link.children;
      name.textContent = this.nameOf(id);
      here.textContent = people > 0 ? `${people} here` : "";
      badge.hidden = unread === 0;
      badge.textContent = unread > 99 ? "99+" : unread;
      badge.setAttribute("aria-label", `${unread} unread`);
      if (id === this.current) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
      if (this.#list.children[at] !== item) this.#list.insertBefore(item, this.#list.children[at] ?? null);
    }
  }

  #item(id) {
    const there = this.#items.get(id);
    if (there) return there;
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = `#${encodeURIComponent(id)}`;
    const [name, here, badge] = ["name", "here", "badge"].map((className) => Object.assign(document.createElement("span"), { className }));
    name.dir = "auto";
    link.append(name, here, badge);
    item.append(link);
    this.#items.set(id, item);
    return item;
  }

  #make(text) {
    const name = text.trim().normalize("NFC").replace(/\s+/gu, " ");
    const room = name.toLowerCase().replaceAll(" ", "-");
    if (room === "") return;
    if (!this.#rooms.has(room)) this.#write(room, name);
    location.hash = encodeURIComponent(room);
  }

  #write(id, name) {
    this.#rooms.upsert({ id, name }).catch(() => {});
  }
}
