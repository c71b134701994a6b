/** How long to wait before the next attempt: full jitter, so that many clients do not come back in one wave. */
export class Backoff {
  #attempt = 0;

  /** Milliseconds: the longest first wait, which doubles with each attempt, and the longest of all. */
  constructor(
    readonly base: number,
    readonly max: number,
    private readonly random: () => number = Math.random,
  ) {}

  /** The next wait, in milliseconds. */
  next(): number {
    return this.random() * Math.min(this.max, this.base * 2 ** this.#attempt++);
  }

  /**
   * A connection is over that lasted so long. Waits are short again where it has held, which is as long as the longest wait: a
   * server that takes connections and drops them at once is not to be hurried.
   */
  lasted(milliseconds: number): void {
    if (milliseconds >= this.max) this.#attempt = 0;
  }
}
