/**
 * backsync over sockjs-client, in Node and in pages alike: nothing here knows where it runs. What is asked and answered can be
 * passed between a page and a test.
 */

const PATIENCE_MS = 20_000;

export class Talk {
  #sock;
  #strings;
  #lastId = 0;
  #waiting = new Set();
  #replies = [];
  #opened = null;
  #closed = null;
  #heartbeats = 0;
  pushes = [];

  /** `strings`: messages come as text, as under `/sockjs`; else as values, as under `/backsync`. */
  constructor(SockJS, url, transport, strings) {
    this.#strings = strings;
    // The client gives up early where the first answer came fast; a machine that is busy may be slower later.
    this.#sock = new SockJS(url, null, { transports: [transport], timeout: PATIENCE_MS });
    const changed = (change) => (event) => {
      change(event);
      for (const one of this.#waiting) one();
    };
    this.#sock.onopen = changed(() => (this.#opened = this.#sock.transport));
    this.#sock.onclose = changed(({ code, reason }) => (this.#closed = { code, reason }));
    this.#sock.onmessage = changed(({ data }) => this.#take(data));
    this.#sock.onheartbeat = changed(() => this.#heartbeats++);
  }

  #take(data) {
    if ((typeof data === "string") !== this.#strings) throw new Error(`a message is a ${typeof data}`);
    const message = this.#strings ? JSON.parse(data) : data;
    ("id" in message ? this.#replies : this.pushes).push(message);
  }

  /** Until `find` finds something; fails when the connection is over before. */
  async #until(what, find, patience = PATIENCE_MS) {
    const deadline = Date.now() + patience;
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      if (this.#closed) throw new Error(`closed with ${this.#closed.code} ${this.#closed.reason} before ${what}`);
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`no ${what} within ${patience} ms`);
      let timer, wake;
      await new Promise((resolve) => {
        wake = resolve;
        this.#waiting.add(wake);
        timer = setTimeout(resolve, left);
      });
      clearTimeout(timer);
      this.#waiting.delete(wake);
    }
  }

  /** The transport that is used, once it is open. */
  opened() {
    return this.#until("open", () => this.#opened ?? undefined);
  }

  /** `{code, reason}` of the end. */
  closed() {
    return this.#until("end", () => this.#closed ?? undefined);
  }

  /** Until so many heartbeats came. */
  heartbeats(count) {
    return this.#until(`${count} heartbeats`, () => (this.#heartbeats >= count ? this.#heartbeats : undefined));
  }

  async #reply(id, event) {
    const reply = await this.#until(`reply to ${event}`, () => this.#replies.find((reply) => reply.id === id));
    this.#replies.splice(this.#replies.indexOf(reply), 1);
    return reply;
  }

  /** The reply to a request. */
  request(event, data, options) {
    const id = ++this.#lastId;
    this.#sock.send(JSON.stringify({ id, event, data, options }));
    return this.#reply(id, event);
  }

  sendText(text) {
    this.#sock.send(text);
  }

  /** All pushes so far, once there are so many. */
  pushed(count) {
    return this.#until(`${count} pushes`, () => (this.pushes.length >= count ? this.pushes : undefined));
  }

  /** The pushes there are, in short. */
  events() {
    return this.pushes.map(({ event, data }) => `${event} ${data.id}`);
  }

  /** Writes a record of so many characters, and says what came back of it: as reply, as push, and when it is read. */
  async carryBig(model, length) {
    const text = "0123456789abcdef".repeat(length / 16);
    await this.request(`${model}:subscribe`);
    const reply = await this.request(`${model}:upsert`, { id: "big", text });
    const [push] = await this.pushed(1);
    const read = await this.request(`${model}:read`, { id: "big" });
    return [reply, push, read].map(({ data }) => data.text === text);
  }

  /** Writes records of these texts; each must come back the same in the reply, the push, and when it is read. */
  async carryTexts(model, codes) {
    const texts = codes.map((points) => String.fromCodePoint(...points));
    await this.request(`${model}:subscribe`);
    // In names, too, but for halves of surrogate pairs.
    const name = (text) => (text.isWellFormed() ? `k${text}` : "k");
    for (const [i, text] of texts.entries()) {
      const { data, error } = await this.request(`${model}:upsert`, { id: `t${i}`, [name(text)]: text });
      if (error) throw new Error(error.message);
      if (data[name(text)] !== text) throw new Error(`reply: ${JSON.stringify(text)} became ${JSON.stringify(data)}`);
    }
    const pushed = (await this.pushed(texts.length)).map(({ data }) => data);
    const { data: read } = await this.request(`${model}:read`);
    for (const records of [pushed, read]) {
      for (const [i, text] of texts.entries()) {
        if (records[i][name(text)] !== text) throw new Error(`${JSON.stringify(text)} became ${JSON.stringify(records[i])}`);
      }
    }
    return texts.length;
  }

  /** Sends as many writes without waiting; what was pushed and replied, in the order it came. */
  async burst(model, count) {
    await this.request(`${model}:subscribe`);
    const first = this.#lastId + 1;
    for (let i = 0; i < count; i++) {
      const message = { id: ++this.#lastId, event: `${model}:upsert`, data: { id: `n${i}`, n: i } };
      this.#sock.send(JSON.stringify(message));
    }
    await this.#until("all replies", () => (this.#replies.length >= count ? true : undefined));
    return {
      replies: this.#replies.splice(0).map(({ id, error }) => (error ? error.message : id - first)),
      pushes: this.pushes.map(({ data }) => data.n),
    };
  }

  close() {
    this.#sock.close();
  }
}
