/** Where messages are written and changed. What was begun in a room is there when one comes back to it. */

export class Composer {
  #form = document.getElementById("composer");
  #text = document.getElementById("text");
  #editing = document.getElementById("editing");
  #drafts = new Map();
  #room;
  #record;

  /** `events`: `written(text)`, `changed(record, text)`, `typed(isSomething)`, `last()`: the last message of one's own. */
  constructor(events) {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.#text.value.trim();
      const record = this.#record;
      if (text === "") return;
      this.#edit(undefined);
      if (record) events.changed(record, text);
      else events.written(text);
      this.#text.focus();
    });
    this.#text.addEventListener("input", () => {
      this.#fit();
      events.typed(this.#text.value.trim() !== "");
    });
    this.#text.addEventListener("keydown", (event) => {
      // While a word is composed, Enter belongs to that.
      if (event.isComposing) return;
      if (event.key === "Enter" && !event.shiftKey) {
        event.preventDefault();
        this.#form.requestSubmit();
      } else if (event.key === "Escape") this.#edit(undefined);
      else if (event.key === "ArrowUp" && this.#text.value === "") {
        event.preventDefault();
        const last = events.last();
        if (last) this.edit(last);
      }
    });
    document.getElementById("cancel").addEventListener("click", () => this.#edit(undefined));
  }

  enter(room) {
    if (!this.#record) this.#drafts.set(this.#room, this.#text.value);
    this.#room = room;
    this.#edit(undefined);
    this.#put(this.#drafts.get(room) ?? "");
    if (matchMedia("(hover: hover)").matches) this.#text.focus();
  }

  /** Change this message. */
  edit(record) {
    this.#edit(record);
    this.#text.focus();
    this.#text.setSelectionRange(this.#text.value.length, this.#text.value.length);
  }

  #edit(record) {
    this.#record = record;
    this.#editing.hidden = !record;
    this.#put(record ? String(record.text ?? "") : "");
  }

  #put(text) {
    this.#text.value = text;
    this.#fit();
  }

  #fit() {
    this.#text.style.height = "auto";
    this.#text.style.height = `${this.#text.scrollHeight}px`;
  }
}
