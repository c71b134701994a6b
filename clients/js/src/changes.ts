/** Changes that wait for whoever reads them with `for await`. */

import type { Change } from "./contents.js";

/** So many wait at the most; who is slower gets a reset in their place. */
const ROOM = 1000;

export class Changes<T> implements AsyncIterator<Change<T>, undefined> {
  #waiting: Change<T>[] = [];
  #over = false;
  #readers: ((result: IteratorResult<Change<T>, undefined>) => void)[] = [];

  /** `behind`: the next thing to read is everything, as it is then. */
  constructor(
    private behind: boolean,
    private readonly reset: () => Change<T>,
    private readonly gone: () => void,
  ) {}

  tell(change: Change<T>): void {
    if (this.#over || this.behind) return;
    const reader = this.#readers.shift();
    if (reader) return reader({ value: change, done: false });
    if (this.#waiting.length < ROOM) return void this.#waiting.push(change);
    this.#waiting = [];
    this.behind = true;
  }

  /** Nothing comes any more: what waits is still read. */
  end(): void {
    this.#over = true;
    this.gone();
    for (const reader of this.#readers.splice(0)) reader({ value: undefined, done: true });
  }

  next(): Promise<IteratorResult<Change<T>, undefined>> {
    if (this.behind) {
      this.behind = false;
      return Promise.resolve({ value: this.reset(), done: false });
    }
    const change = this.#waiting.shift();
    if (change) return Promise.resolve({ value: change, done: false });
    if (this.#over) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  /** The reader leaves its loop. */
  return(): Promise<IteratorResult<Change<T>, undefined>> {
    this.#waiting = [];
    this.behind = false;
    this.end();
    return Promise.resolve({ value: undefined, done: true });
  }
}
