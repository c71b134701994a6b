/**
 * The messages of a room: pages, from the newest one backwards. Each is a live collection of what was written in a span of time, so that
 * whatever is edited or deleted is heard of, however long ago it was written, and no message is in two pages.
 */

import { kept, keep } from "./keep.js";

/** So many messages are read at once. */
const PAGE = 50;
/** With more of them in the newest page the next visit begins with another one. */
const LONGEST = 200;
/** A clock that is ahead by more is not followed, in milliseconds. */
const CLOCKS = 300_000;

export class History {
  /** Whether nothing is before the first record. */
  isComplete = false;
  #client;
  #changed;
  #pages = [];
  /** To write by, whether or not a page is there yet. */
  #writer;
  #from;
  #reading;
  #shorter;
  #isClosed = false;

  /** `client`: the one that keeps; `changed(history)` is called when the records are others. */
  constructor(client, room, changed) {
    this.room = room;
    this.#client = client;
    this.#changed = changed;
    this.#writer = client.collection("ChatMessage", { ids: [] });
    void this.#begin();
  }

  /** In the order in which they were written. */
  get records() {
    return this.#pages.flatMap((page) => page.records);
  }

  get isLoading() {
    return (this.#newest?.state ?? "loading") === "loading";
  }

  /** Read a page more; nothing while one is being read. */
  older() {
    if (this.isComplete || this.#pages.length === 0) return;
    this.#reading ??= this.#older()
      // The server refuses it, or the page goes: what is there stays.
      .catch(() => {})
      .finally(() => (this.#reading = undefined));
  }

  /** Seen at once, and sent as soon as there is a connection. */
  write({ id: from, name }, text) {
    this.#writer.upsert({ room: this.room, from, name, text, at: this.#now() }).catch(told);
  }

  edit({ id }, text) {
    this.#pageOf(id)?.upsert({ id, text, edited: Date.now() }).catch(told);
  }

  delete({ id }) {
    this.#pageOf(id)?.delete(id).catch(told);
  }

  close() {
    this.#isClosed = true;
    for (const page of [this.#writer, ...this.#pages, this.#shorter]) page?.close();
  }

  get #newest() {
    return this.#pages.at(-1);
  }

  #pageOf(id) {
    return this.#pages.find((page) => page.has(id));
  }

  /** Behind whatever its writer has seen, also where that was written by a clock that is a little ahead. */
  #now() {
    const now = Date.now();
    const last = this.#newest?.records.at(-1)?.at ?? 0;
    return last >= now && last < now + CLOCKS ? last + 1 : now;
  }

  async #begin() {
    const now = Date.now();
    // As at the last visit: that is what is kept.
    let from = kept(`from:${this.room}`);
    if (from === undefined) {
      const asked = this.#start(undefined, { timeout: 3000 }).then((start) => keep(`from:${this.room}`, start));
      from = await asked.catch(() => now);
    }
    if (this.#isClosed) return;
    this.#reach(from);
    const page = this.#page(from);
    this.#pages.push(page);
    page.on("state", (state) => state === "live" && this.#shorten());
    this.#changed(this);
  }

  async #older() {
    const until = this.#from;
    const from = await this.#start(until);
    if (this.#isClosed) return;
    const page = this.#page(from, until);
    await page.ready;
    if (this.#isClosed) return page.close();
    this.#pages.unshift(page);
    this.#reach(from);
    this.#changed(this);
  }

  #reach(from) {
    this.#from = from;
    this.isComplete = from === 0;
  }

  /** When the first message was written of the page that ends there; 0 where there are no more. */
  async #start(until, patience) {
    const where = { room: this.room, at: { $gte: 0, ...(until !== undefined && { $lt: until }) } };
    const [first] = await this.#client.client.read("ChatMessage", { where, sort: "-at", skip: PAGE - 1, limit: 1 }, patience);
    return first?.at ?? 0;
  }

  #page(from, until) {
    const where = { room: this.room, at: { $gte: from, ...(until !== undefined && { $lt: until }) } };
    const page = this.#client.collection("ChatMessage", { where, sort: ["at", "id"] });
    page.on("update", () => this.#changed(this));
    return page;
  }

  /** Has a shorter page kept for the next visit, which may have no connection. */
  #shorten() {
    const { records } = this.#newest;
    if (records.length <= LONGEST || this.#shorter) return;
    const from = records.at(-PAGE).at;
    this.#shorter = this.#page(from);
    this.#shorter.ready.then(() => keep(`from:${this.room}`, from), () => {});
  }
}

/** What is refused is told by the client's events. */
function told() {}
