/** A server of which a test says every word. */

export class Scripted {
  /** The links that were opened, in their order: `{sent, say, close}`. */
  links = [];
  /** Whether links come about, and whether they are greeted. */
  opens = true;
  greets = true;
  /** In the place of a good greeting. */
  refusal;

  constructor(name = "scripted") {
    this.transport = { name, open: (address, events) => this.#open(address, events) };
  }

  get link() {
    return this.links.at(-1);
  }

  #open(address, events) {
    let over = false;
    const link = {
      address,
      /** What the client said, but for the greeting and questions whether we are there. */
      sent: [],
      greeting: undefined,
      questions: 0,
      isClosed: () => over,
      say: (message) => over || events.message(JSON.stringify(message)),
      close(code) {
        if (over) return;
        over = true;
        events.closed(code);
      },
    };
    this.links.push(link);
    queueMicrotask(() => (this.opens ? over || events.opened() : link.close()));
    return {
      send: (text) => {
        const message = JSON.parse(text);
        if (message.event !== "$session:open") return void link.sent.push({ ...message, text });
        if (link.greeting !== undefined) link.questions += 1;
        else link.greeting = message.data;
        const { id, event } = message;
        const reply = { id, event, ...(this.refusal ?? { data: { session: "s", node: "n", protocol: 1, heartbeat: 25_000 } }) };
        if (this.greets) queueMicrotask(() => link.say(reply));
      },
      close: () => void (over = true),
    };
  }
}

/** Everything that does not wait for time has happened. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));
