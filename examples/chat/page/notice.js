/** What the server refused: its writer is to know, and to say what becomes of it. */

export class Notice {
  #client;
  #element = document.getElementById("notice");

  constructor(client) {
    this.#client = client;
    client.on("refused", () => void this.draw());
    void this.draw();
  }

  async draw() {
    const [one] = await this.#client.aside();
    this.#element.hidden = !one;
    this.#element.replaceChildren();
    if (!one) return;
    const text = one.entry?.edits[0]?.set.text;
    const what = document.createElement("span");
    what.textContent = `Not done: ${one.error.message}${text ? ` (“${text}”)` : ""}`;
    this.#element.append(what);
    if (one.entry) this.#element.append(this.#button("Try again", () => this.#client.retry(one)));
    this.#element.append(this.#button("Forget it", () => this.#client.discard(one)));
  }

  #button(text, act) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "plain";
    button.textContent = text;
    button.addEventListener("click", async () => {
      await act();
      await this.draw();
    });
    return button;
  }
}
