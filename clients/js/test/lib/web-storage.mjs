/** As much of `localStorage` as Node lacks. `room` is the characters that fit in. */
export class WebStorage {
  room = 5_000_000;
  #texts = new Map();

  get length() {
    return this.#texts.size;
  }

  key(at) {
    return [...this.#texts.keys()][at] ?? null;
  }

  getItem(key) {
    return this.#texts.get(key) ?? null;
  }

  setItem(key, text) {
    const used = [...this.#texts].reduce((sum, [name, value]) => sum + (name === key ? 0 : name.length + value.length), 0);
    if (used + key.length + text.length > this.room) throw new DOMException("no room", "QuotaExceededError");
    this.#texts.set(key, text);
  }

  removeItem(key) {
    this.#texts.delete(key);
  }
}
