/** A way to a server on which things go wrong when a test wants them to. */

export class Faulty {
  /** How often it was opened. */
  opened = 0;
  /** What was sent, on all links, as objects. */
  sent = [];
  #current;
  #transport;
  #isDown = false;
  #isDeaf = false;

  constructor(transport) {
    this.#transport = transport;
  }

  /** To be given to `connect` as one of its `transports`. */
  get transport() {
    return { name: "faulty", open: (address, events) => this.#open(address, events) };
  }

  /** Nothing that the server says arrives any more, on this link; what is said to it does. */
  deafen() {
    this.#isDeaf = true;
  }

  /** The link breaks. */
  cut() {
    this.#current?.cut();
  }

  /** Breaks, and none comes about until it is `up` again. */
  down() {
    this.#isDown = true;
    this.cut();
  }

  up() {
    this.#isDown = false;
  }

  #open(address, events) {
    this.opened += 1;
    this.#isDeaf = false;
    let over = false;
    const end = (code) => {
      if (over) return;
      over = true;
      events.closed(code);
    };
    if (this.#isDown) {
      queueMicrotask(end);
      return { send() {}, close: () => void (over = true) };
    }
    const link = this.#transport.open(address, {
      opened: () => over || events.opened(),
      message: (text) => over || this.#isDeaf || events.message(text),
      heard: () => over || this.#isDeaf || events.heard(),
      closed: end,
    });
    this.#current = {
      cut() {
        link.close();
        end();
      },
    };
    return {
      send: (text) => {
        this.sent.push(JSON.parse(text));
        link.send(text);
      },
      close() {
        over = true;
        link.close();
      },
    };
  }
}
