/** The whole record behind a row, as JSON, and the way to delete it. */

export class EntryDialog {
  #dialog;
  #text;
  #model = null;

  constructor(dialog) {
    this.#dialog = dialog;
    this.#text = dialog.querySelector("pre");
    dialog.querySelector("[data-delete]").addEventListener("click", () => {
      this.#model?.destroy();
      dialog.close();
    });
    dialog.addEventListener("close", () => {
      this.#model = null;
      this.#text.textContent = "";
    });
  }

  open(model) {
    this.#model = model;
    this.#text.textContent = JSON.stringify(model.attributes, null, 2);
    this.#dialog.showModal();
  }
}
