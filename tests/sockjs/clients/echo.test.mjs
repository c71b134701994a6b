/** sockjs-client in Node and the echo server: the transports by name, what is chosen where nothing is said, and closing. */

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { describe, test } from "node:test";

import { cleanUp } from "../../browser/lib/cleanup.mjs";
import { echoServer } from "../lib/echo.mjs";

const SockJS = createRequire(import.meta.url)("sockjs-client");
const { echo, noWebSocket, cookies, close } = await echoServer();
const TRANSPORTS = ["websocket", "xhr-streaming", "eventsource", "xhr-polling"];

/** Sends `messages` once it is open; the transport, what came back, and how it ended if it did. */
function converse(t, url, transports, messages) {
  const sock = new SockJS(url, null, { transports, timeout: 20_000 });
  cleanUp(t, () => sock.close());
  const heard = [];
  let transport;
  return new Promise((resolve) => {
    const done = (end) => resolve({ transport, heard, end });
    sock.onopen = () => {
      transport = sock.transport;
      messages.forEach((message) => sock.send(message));
    };
    sock.onclose = ({ code, reason }) => done({ code, reason });
    sock.onmessage = ({ data }) => {
      heard.push(data);
      if (heard.length === messages.length) done();
    };
  });
}

const MESSAGES = Array.from({ length: 300 }, (_, i) => `${i} </script> 100% \u2028😀 ${"x".repeat(i)}`);

describe("sockjs-client in Node", { concurrency: 4 }, () => {
  for (const transport of TRANSPORTS) {
    test(`${transport} brings back what was sent, over many responses`, async (t) => {
      assert.deepEqual(await converse(t, echo, [transport], MESSAGES), { transport, heard: MESSAGES, end: undefined });
    });

    test(`${transport} works with cookies`, async (t) => {
      assert.deepEqual(await converse(t, cookies, [transport], ["a"]), { transport, heard: ["a"], end: undefined });
    });

    test(`${transport} hears why it was closed`, async (t) => {
      const end = { code: 3000, reason: "Go away!" };
      assert.deepEqual(await converse(t, close, [transport], []), { transport, heard: [], end });
    });
  }

  test("without a choice takes a WebSocket, and streams where there is none", async (t) => {
    assert.equal((await converse(t, echo, undefined, ["a"])).transport, "websocket");
    assert.equal((await converse(t, noWebSocket, undefined, ["a"])).transport, "xhr-streaming");
  });
});
