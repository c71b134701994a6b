/** What went wrong with what somebody wrote: they are to know, and to say what becomes of it. */

export class Notice {
  #client;
  #isKept;
  #element = document.getElementById("notice");

  /** `client`: the one that keeps; `isKept`: whether it does. */
  constructor(client, isKept) {
    this.#client = client;
    this.#isKept = isKept;
    client.on("refused", () => void this.draw());
    client.on("pending", () => void this.draw());
    client.on("trouble", ({ type }) => {
      if (type === "storage") this.#isKept = false;
    });
    void this.draw();
  }

  async draw() {
    const [refused] = await this.#client.aside();
    const isAtRisk = !this.#isKept && this.#client.pending > 0;
    this.#element.hidden = !refused && !isAtRisk;
    this.#element.replaceChildren();
    if (refused) this.#refused(refused);
    else if (isAtRisk) this.#say("This browser keeps nothing: what waits is lost when the page is closed.");
  }

  #refused(one) {
    const text = one.entry?.edits[0]?.set.text;
    this.#say(`Not done: ${one.error.message}${text ? ` (“${text}”)` : ""}`);
    if (one.entry) this.#element.append(this.#button("Try again", () => this.#client.retry(one)));
    this.#element.append(this.#button("Forget it", () => this.#client.discard(one)));
  }

  #say(text) {
    this.#element.append(Object.assign(document.createElement("span"), { textContent: text }));
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
