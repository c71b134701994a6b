/** One connection while it lasts: it is greeted first, asked questions, and given up when it falls silent. */

import type { Address } from "./address.js";
import { Heartbeat } from "./heartbeat.js";
import { encodeRequest, type Json, type Message, type SessionInfo } from "./messages.js";
import type { Link, Transport } from "./transports/transport.js";

/** What every line of a client is made with. Times are in milliseconds. */
export interface LineOptions {
  address: Address;
  json: Json;
  nextId: () => string | number;
  /** How long silence is fine; none: as long as the server says. */
  silence: number | undefined;
  /** How long a question may go unanswered. */
  patience: number;
}

export class Line {
  /** The server's answer to the greeting; nothing where the line is over before. */
  readonly greeted: Promise<Message | undefined>;
  /** Resolves at the end, to the code of the server's close where it gave one. */
  readonly over: Promise<number | undefined>;
  #end!: (code?: number) => void;
  #link: Link;
  #heartbeat: Heartbeat | undefined;
  #questions = new Map<unknown, (message: Message) => void>();

  /** `greeting`: the `data` of `$session:open`. Whatever was not asked for here is heard by `hear`. */
  constructor(
    transport: Transport,
    private readonly options: LineOptions,
    greeting: object,
    hear: (message: Message) => void,
  ) {
    this.over = new Promise((resolve) => (this.#end = resolve));
    let greeted!: (reply?: Message) => void;
    this.greeted = new Promise((resolve) => (greeted = resolve));
    void this.over.then(() => greeted());
    this.#link = transport.open(options.address, {
      opened: () =>
        this.ask("$session:open", greeting, (reply) => {
          if (!reply.error) this.#watch((reply.data as SessionInfo).heartbeat);
          greeted(reply);
        }),
      message: (text) => {
        this.#heartbeat?.heard();
        const message = this.#parse(text);
        const answer = message && this.#questions.get(message.id);
        if (answer) {
          this.#questions.delete(message.id);
          answer(message);
        } else if (message) hear(message);
      },
      heard: () => this.#heartbeat?.heard(),
      closed: (code) => {
        this.#heartbeat?.stop();
        this.#end(code);
      },
    });
  }

  send(text: string): void {
    this.#link.send(text);
  }

  /** Ask something; there is no answer where the line is over before. */
  ask(event: string, data: unknown, answer: (message: Message) => void): void {
    const id = this.options.nextId();
    this.#questions.set(id, answer);
    this.send(encodeRequest(this.options.json, id, event, data));
  }

  /** There is reason to believe that nobody is there any more. */
  doubt(): void {
    this.#heartbeat?.doubt();
  }

  close(): void {
    this.#heartbeat?.stop();
    this.#link.close();
    this.#end();
  }

  #watch(heartbeat: number): void {
    const { silence = heartbeat, patience } = this.options;
    const ask = (): void => this.ask("$session:open", undefined, () => {});
    this.#heartbeat = new Heartbeat(silence, patience, ask, () => this.close());
  }

  /** What is no message of the protocol cannot be answered, and says nothing. */
  #parse(text: string): Message | undefined {
    try {
      const message = this.options.json.parse(text);
      return typeof message === "object" && message !== null ? (message as Message) : undefined;
    } catch {
      return undefined;
    }
  }
}
