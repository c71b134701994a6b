/** A network between pages and a server, which can be cut: what is connected breaks, and nothing comes about until it is mended. */

import { once } from "node:events";
import { connect, createServer } from "node:net";

import { cleanUp } from "./cleanup.mjs";

export class Proxy {
  /** As `http://127.0.0.1:40123`. */
  url;
  #sockets = new Set();
  #isCut = false;

  static async before(t, broker) {
    const proxy = new Proxy();
    const server = createServer((near) => proxy.#join(near, broker));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    proxy.url = `http://127.0.0.1:${server.address().port}`;
    cleanUp(t, () => {
      server.close();
      proxy.cut();
    });
    return proxy;
  }

  cut() {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend() {
    this.#isCut = false;
  }

  #join(near, broker) {
    if (this.#isCut) return near.destroy();
    const [host, port] = broker.address.split(":");
    const far = connect(Number(port), host);
    for (const [socket, other] of [[near, far], [far, near]]) {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  }
}
