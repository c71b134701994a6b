/**
 * The echo server of SockJS' own tests: `/echo`, `/disabled_websocket_echo`, `/cookie_needed_echo` and `/close`, with
 * responses that end after 4096 bytes.
 */

import { randomUUID } from "node:crypto";
import { access } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { once } from "node:events";
import { after } from "node:test";
import { fileURLToPath } from "node:url";

import { start } from "../../browser/lib/processes.mjs";

const BINARY = process.env.BACKSYNC_ECHO ?? fileURLToPath(new URL("../../../target/debug/examples/sockjs_echo", import.meta.url));

/** Starts one for a whole test file, unless `SOCKJS_URL` names a server that runs already. */
export async function echoServer() {
  const url = process.env.SOCKJS_URL ?? (await startEcho());
  return {
    url,
    echo: `${url}/echo`,
    noWebSocket: `${url}/disabled_websocket_echo`,
    cookies: `${url}/cookie_needed_echo`,
    close: `${url}/close`,
  };
}

/** The URL of a new session under this prefix. */
export const session = (prefix, id = randomUUID()) => `${prefix}/000/${id}`;

async function startEcho() {
  await access(BINARY).catch(() => {
    throw new Error(`there is no ${BINARY}: run \`cargo build --example sockjs_echo\`, or name another one in BACKSYNC_ECHO`);
  });
  const port = await freePort();
  const server = start({ after }, BINARY, [String(port)]);
  server.child.stdout.resume();
  const ended = server.ended.then(({ code }) => {
    throw new Error(`the echo server ended with ${code}:\n${server.stderr()}`);
  });
  ended.catch(() => {});
  await Promise.race([answers(port), ended]);
  return `http://127.0.0.1:${port}`;
}

async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}

/** Until somebody listens there. */
async function answers(port) {
  for (let left = 100; left > 0; left--) {
    const socket = connect(port, "127.0.0.1");
    const there = await new Promise((resolve) => socket.once("connect", () => resolve(true)).once("error", () => resolve(false)));
    socket.destroy();
    if (there) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`nobody listens on port ${port}`);
}
