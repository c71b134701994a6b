/**
 * Who is here, and who is typing: records of an ephemeral model, which go with those who wrote them. A record that went while the
 * connection was lost is written anew, under another id.
 */

/** Milliseconds after the last key until nobody types any more. */
const TYPING_MS = 3000;

export class Presence {
  #client;
  #people;
  #me;
  #id = newId();
  #typingEnds;

  /** `me`: `{room, name, author}`; `changed` is called when others come, go or type. */
  constructor(client, me, changed) {
    this.#client = client;
    this.#me = me;
    this.#people = client.collection("User", { where: { room: me.room }, sort: "name" });
    this.#people.on("update", () => {
      this.#stay();
      changed();
    });
  }

  /** Everybody, once: `{name, typing, author}`. */
  get people() {
    const byAuthor = new Map();
    for (const person of this.#people.records) byAuthor.set(person.author, { ...person, typing: person.typing || byAuthor.get(person.author)?.typing });
    return [...byAuthor.values()];
  }

  rename(name) {
    this.#me = { ...this.#me, name };
    this.#write({ name });
  }

  /** A key was pressed. */
  typing() {
    if (!this.#typingEnds) this.#write({ typing: true });
    clearTimeout(this.#typingEnds);
    this.#typingEnds = setTimeout(() => this.said(), TYPING_MS);
  }

  /** What was typed is said, or given up. */
  said() {
    if (!this.#typingEnds) return;
    clearTimeout(this.#typingEnds);
    this.#typingEnds = undefined;
    this.#write({ typing: false });
  }

  leave() {
    clearTimeout(this.#typingEnds);
    this.#people.close();
    this.#client.delete("User", this.#id).catch(() => {});
  }

  /** Be among those who are here, where we are not and the server is. */
  #stay() {
    if (this.#people.state !== "live" || this.#people.has(this.#id) || this.#isComing) return;
    this.#isComing = true;
    this.#id = newId();
    this.#write({ ...this.#me, typing: false }).finally(() => (this.#isComing = false));
  }

  #isComing = false;

  async #write(values) {
    await this.#client.upsert("User", { id: this.#id, ...values }).catch(() => {});
  }
}

const newId = () => window.backsync.randomName();
