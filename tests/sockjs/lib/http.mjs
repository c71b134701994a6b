/** HTTP by hand, on a socket: what goes out is exactly what a test says, and what comes in is seen chunk by chunk. */

import { connect } from "node:net";
import { after } from "node:test";

/** Nothing that is waited for takes longer, unless a test says so. */
const PATIENCE_MS = 8000;

/** Those that a test left open, as one that failed does, are closed after all tests of the file. */
const left = new Set();
after(() => left.forEach((socket) => socket.destroy()));

/** One connection to the server; requests on it go one after the other. */
export class Connection {
  #socket;
  #held = Buffer.alloc(0);
  #ended = false;
  #wake = () => {};

  static async open(url) {
    const { hostname, port } = new URL(url);
    const connection = new Connection(connect({ host: hostname, port: Number(port), noDelay: true }));
    await new Promise((resolve, reject) => connection.#socket.once("connect", resolve).once("error", reject));
    return connection;
  }

  constructor(socket) {
    this.#socket = socket;
    left.add(socket);
    socket.on("close", () => left.delete(socket));
    socket.on("data", (data) => {
      this.#held = Buffer.concat([this.#held, data]);
      this.#wake();
    });
    const end = () => {
      this.#ended = true;
      this.#wake();
    };
    socket.on("end", end).on("close", end).on("error", end);
  }

  send(bytes) {
    this.#socket.write(bytes);
  }

  /** Says that nothing more will be sent; what comes is still read. */
  finish() {
    this.#socket.end();
  }

  /** Reads no more. */
  pause() {
    this.#socket.pause();
  }

  /** Whether the server has closed it. */
  isOver() {
    return this.#ended;
  }

  /** Goes away. */
  abort() {
    this.#socket.destroy();
  }

  /** Waits until `take` finds something in the bytes held: `[found, bytes used]`. Fails at the end of the connection. */
  async #next(what, take, patience) {
    const deadline = Date.now() + patience;
    for (;;) {
      const found = take(this.#held);
      if (found) {
        this.#held = this.#held.subarray(found[1]);
        return found[0];
      }
      if (this.#ended) throw new Error(`the connection ended before ${what}; held: ${this.#shown()}`);
      const time = deadline - Date.now();
      if (time <= 0) throw new Error(`no ${what} within ${patience} ms; held: ${this.#shown()}`);
      await this.#changes(time);
    }
  }

  /** Until something came, the connection ended, or the time is over. */
  async #changes(ms) {
    let timer;
    await new Promise((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, ms);
    });
    clearTimeout(timer);
  }

  #shown() {
    return JSON.stringify(this.#held.toString("latin1").slice(0, 200));
  }

  bytes(count, patience = PATIENCE_MS) {
    return this.#next(`${count} bytes`, (held) => held.length >= count && [held.subarray(0, count), count], patience);
  }

  line(patience = PATIENCE_MS) {
    const take = (held) => {
      const end = held.indexOf("\r\n");
      return end >= 0 && [held.subarray(0, end).toString("latin1"), end + 2];
    };
    return this.#next("line", take, patience);
  }

  /** The next chunk of a chunked body; `null` is its end. */
  async chunk(patience = PATIENCE_MS) {
    const length = Number.parseInt(await this.line(patience), 16);
    const data = await this.bytes(length + 2);
    return length === 0 ? null : data.subarray(0, length);
  }

  /** Everything up to the end of the connection. */
  async rest(patience = PATIENCE_MS) {
    const deadline = Date.now() + patience;
    while (!this.#ended) {
      const time = deadline - Date.now();
      if (time <= 0) throw new Error(`not closed within ${patience} ms; held: ${this.#shown()}`);
      await this.#changes(time);
    }
    const rest = this.#held;
    this.#held = Buffer.alloc(0);
    return rest;
  }

  /** Sends a request; the answer when its head is there. */
  request(method, url, { headers = {}, body = null, version = "1.1", patience } = {}) {
    // No `URL`, which would tidy the path: what the test wrote is what the server gets.
    const [, host, path] = /^http:\/\/([^/]+)(.*)$/.exec(url);
    const length = body !== null || method === "POST" ? { "Content-Length": Buffer.byteLength(body ?? "") } : {};
    // A header that is `undefined` is left out.
    const all = Object.entries({ Host: host, ...length, ...headers }).filter(([, value]) => value !== undefined);
    const lines = all.map(([name, value]) => `${name}: ${value}\r\n`);
    this.send(`${method} ${path} HTTP/${version}\r\n${lines.join("")}\r\n`);
    if (body) this.send(body);
    return this.answer(patience);
  }

  async answer(patience = PATIENCE_MS) {
    const [, version, status] = /^HTTP\/(1\.[01]) (\d{3})/.exec(await this.line(patience)) ?? [];
    const headers = {};
    for (;;) {
      const line = await this.line();
      if (line === "") return new Answer(this, version, Number(status), headers);
      const [, name, value] = /^([^:]+):\s*(.*?)\s*$/.exec(line);
      const key = name.toLowerCase();
      headers[key] = key in headers ? `${headers[key]}, ${value}` : value;
    }
  }
}

/** The head of an answer, and its body as it comes. */
export class Answer {
  constructor(connection, version, status, headers) {
    Object.assign(this, { connection, version, status, headers });
  }

  /** The next chunk as text; `null` at the end. */
  async chunk(patience) {
    if (this.headers["transfer-encoding"] !== "chunked") throw new Error("the body is not chunked");
    return (await this.connection.chunk(patience))?.toString("utf8") ?? null;
  }

  /** The whole body as text. */
  async text(patience) {
    if (this.status === 204 || this.status === 304) return "";
    if (this.headers["transfer-encoding"] === "chunked") {
      const pieces = [];
      for (let piece; (piece = await this.connection.chunk(patience)) !== null; ) pieces.push(piece);
      return Buffer.concat(pieces).toString("utf8");
    }
    const length = this.headers["content-length"];
    const body = length === undefined ? this.connection.rest(patience) : this.connection.bytes(Number(length), patience);
    return (await body).toString("utf8");
  }

  abort() {
    this.connection.abort();
  }
}

/** A request on a connection of its own; the answer once its head is there. */
export async function open(method, url, options) {
  return (await Connection.open(url)).request(method, url, options);
}

/** A request on a connection of its own; the answer with its whole `body`. */
export async function ask(method, url, options) {
  const answer = await open(method, url, options);
  answer.body = await answer.text(options?.patience);
  answer.abort();
  return answer;
}

export const get = (url, headers) => ask("GET", url, { headers });

export const post = (url, body = null, headers = {}) => ask("POST", url, { headers, body });
