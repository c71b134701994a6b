/**
 * Which way to take: the first that leads there, and then the same again. One that has worked is not left because the server
 * was away for a moment, when whatever is tried next would seem the better one.
 */

/** So many attempts in a row fail before one that has worked is in doubt. */
const DOUBTED_AFTER = 3;

export class Choice<T> {
  #worked: T | undefined;
  #failed = 0;

  constructor(private readonly all: readonly T[]) {}

  /** The ways to try in the next attempt, in their order. */
  next(): readonly T[] {
    return this.#worked !== undefined && this.#failed < DOUBTED_AFTER ? [this.#worked] : this.all;
  }

  /** This one led there. */
  worked(way: T): void {
    this.#worked = way;
    this.#failed = 0;
  }

  /** What was learned may be wrong by now. */
  forget(): void {
    this.#worked = undefined;
  }

  /** None of them did. */
  failed(): void {
    this.#failed++;
  }
}
