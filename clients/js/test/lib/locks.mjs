/** As much of Web Locks as Node lacks: whoever asks gets the lock when those before have given it back. */
export class Locks {
  #last = new Map();

  request(name, { signal }, holding) {
    const before = this.#last.get(name) ?? Promise.resolve();
    const given = new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    // Nobody has to listen.
    given.catch(() => {});
    const held = before.then(() => (signal.aborted ? undefined : holding()));
    this.#last.set(name, held.catch(() => {}));
    return Promise.race([held, given]);
  }
}
