/** A WebSocket whose frames are waited for one by one. */

import { once } from "node:events";
import { after } from "node:test";
import { WebSocket } from "ws";

const PATIENCE_MS = 8000;

/** Those that a test left open are closed after all tests of the file. */
const left = new Set();
after(() => left.forEach((ws) => ws.terminate()));

export class Socket {
  #held = [];
  #wake = () => {};

  /** Opened; `ws` is the client underneath. */
  static async open(url, options = {}) {
    const ws = new WebSocket(url.replace(/^http/, "ws"), { perMessageDeflate: false, ...options });
    const socket = new Socket(ws);
    await once(ws, "open");
    return socket;
  }

  constructor(ws) {
    this.ws = ws;
    left.add(ws);
    const hold = (what) => {
      this.#held.push(what);
      this.#wake();
    };
    ws.on("message", (data, isBinary) => hold(isBinary ? data : data.toString("utf8")));
    ws.on("close", (code, reason) => {
      left.delete(ws);
      hold({ code, reason: reason.toString() });
    });
    ws.on("error", () => {});
  }

  send(data) {
    this.ws.send(data);
  }

  /** The next message: text, a `Buffer`, or at the end `{code, reason}` of the close. */
  async next(patience = PATIENCE_MS) {
    const deadline = Date.now() + patience;
    while (this.#held.length === 0) {
      const time = deadline - Date.now();
      if (time <= 0) throw new Error(`no message within ${patience} ms`);
      let timer;
      await new Promise((resolve) => {
        this.#wake = resolve;
        timer = setTimeout(resolve, time);
      });
      clearTimeout(timer);
    }
    return this.#held.shift();
  }

  close() {
    this.ws.terminate();
  }
}

/** The status that an upgrade is refused with. */
export async function refusal(url, options = {}) {
  const ws = new WebSocket(url.replace(/^http/, "ws"), options);
  return new Promise((resolve, reject) => {
    ws.on("unexpected-response", (request, response) => {
      request.destroy();
      resolve(response.statusCode);
    });
    ws.on("open", () => {
      ws.terminate();
      reject(new Error("it was opened"));
    });
    ws.on("error", reject);
  });
}
