/** A connection that is idle gets a heartbeat every 25 seconds, on every transport at once. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { echoServer, session } from "../lib/echo.mjs";
import { ask, get, open, post } from "../lib/http.mjs";
import { Socket } from "../lib/websocket.mjs";

const { echo } = await echoServer();
const PATIENCE = 28_000;

/** What comes next, and that it took its time. */
async function inTime(next) {
  const began = Date.now();
  const frame = await next;
  const ms = Date.now() - began;
  assert.ok(ms > 20_000 && ms < PATIENCE, `it came after ${ms} ms`);
  return frame;
}

describe("after 25 seconds", { concurrency: true }, () => {
  const STREAMS = [
    ["POST", "xhr_streaming", "h\n"],
    ["GET", "eventsource", "data: h\r\n\r\n"],
    ["GET", "htmlfile?c=x", '<script>\np("h");\n</script>\r\n'],
  ];
  for (const [method, path, frame] of STREAMS) {
    test(path, async () => {
      const url = session(echo);
      const stream = await open(method, `${url}/${path}`);
      await stream.chunk();
      await stream.chunk();
      assert.equal(await inTime(stream.chunk(PATIENCE)), frame);
      await post(`${url}/xhr_send`, '["on"]');
      assert.match(await stream.chunk(), /on/);
      stream.abort();
    });
  }

  test("xhr, and the next poll waits again", async () => {
    const url = session(echo);
    await post(`${url}/xhr`);
    const poll = await inTime(ask("POST", `${url}/xhr`, { patience: PATIENCE }));
    assert.equal(poll.body, "h\n");
    const next = post(`${url}/xhr`);
    await post(`${url}/xhr_send`, '["on"]');
    assert.equal((await next).body, 'a["on"]\n');
  });

  test("jsonp", async () => {
    const url = session(echo);
    await get(`${url}/jsonp?c=x`);
    const poll = await inTime(ask("GET", `${url}/jsonp?c=x`, { patience: PATIENCE }));
    assert.equal(poll.body, '/**/x("h");\r\n');
  });

  test("websocket", async () => {
    const socket = await Socket.open(`${session(echo)}/websocket`);
    assert.equal(await socket.next(), "o");
    assert.equal(await inTime(socket.next(PATIENCE)), "h");
    socket.send('["on"]');
    assert.equal(await socket.next(), 'a["on"]');
    socket.close();
  });
});
