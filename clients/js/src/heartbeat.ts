/**
 * Notices that a server is gone that says nothing any more. A browser does not show pings, so after a silence the server is
 * asked something, and the connection given up where no answer comes.
 */
export class Heartbeat {
  #heard = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asked = false;

  /** Milliseconds: how long silence is fine, and how long an answer may take. */
  constructor(
    private readonly silence: number,
    private readonly patience: number,
    private readonly ask: () => void,
    private readonly lost: () => void,
  ) {
    this.heard();
    this.#wait(this.silence);
  }

  /** Something came. */
  heard(): void {
    this.#heard = Date.now();
    // The timer runs on: to look at the clock once is cheaper than a timer for each message.
    this.#asked = false;
  }

  /** Ask now: there is reason to doubt. */
  doubt(): void {
    if (this.#asked) return;
    this.#asked = true;
    this.ask();
    this.#wait(this.patience);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #wait(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), milliseconds);
  }

  #look(): void {
    if (this.#asked) return this.lost();
    const left = this.#heard + this.silence - Date.now();
    // A clock that was put back makes it longer than the silence.
    if (left > 0) return this.#wait(Math.min(left, this.silence));
    this.doubt();
  }
}
