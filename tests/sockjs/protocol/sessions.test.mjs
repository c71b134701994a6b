/** The life of a session over HTTP: one receiver at a time, what ends it, and how long it waits. */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";

import { echoServer, session } from "../lib/echo.mjs";
import { Connection, get, open, post } from "../lib/http.mjs";
import { Socket } from "../lib/websocket.mjs";

const { echo, close, cookies } = await echoServer();
const TAKEN = 'c[2010,"Another connection still open"]';
const INTERRUPTED = 'c[1002,"Connection interrupted"]';

/** A streaming receiver that has its greeting. */
async function streaming(url) {
  const stream = await open("POST", `${url}/xhr_streaming`);
  await stream.chunk();
  assert.equal(await stream.chunk(), "o\n");
  return stream;
}

/** A poll that waits: of two one is refused, the other is the one. */
async function waitingPoll(url) {
  const polls = await Promise.all([0, 1].map(() => Connection.open(url)));
  const refused = await Promise.race(polls.map(async (poll) => {
    const answer = await poll.request("POST", `${url}/xhr`);
    assert.equal(await answer.text(), `${TAKEN}\n`);
    return poll;
  }));
  refused.abort();
  return polls.find((poll) => poll !== refused);
}

/** Polls until a frame comes that is not `frame`; the server needs a moment to hear of a connection that went. */
async function pollPast(url, frame) {
  for (const deadline = Date.now() + 3000; ; ) {
    const { body } = await post(`${url}/xhr`);
    if (body !== `${frame}\n` || Date.now() > deadline) return body;
  }
}

describe("a second receiver", () => {
  test("is refused on every transport, and the first goes on", async () => {
    const url = session(echo);
    const first = await streaming(url);
    const second = await open("POST", `${url}/xhr_streaming`);
    await second.chunk();
    assert.equal(await second.chunk(), `${TAKEN}\n`);
    assert.equal(await second.chunk(), null);
    assert.equal((await post(`${url}/xhr`)).body, `${TAKEN}\n`);
    assert.equal((await get(`${url}/jsonp?c=x`)).body, `/**/x(${JSON.stringify(TAKEN)});\r\n`);
    const events = await open("GET", `${url}/eventsource`);
    await events.chunk();
    assert.equal(await events.chunk(), `data: ${TAKEN}\r\n\r\n`);
    assert.equal(await events.chunk(), null);
    const page = await open("GET", `${url}/htmlfile?c=x`);
    await page.chunk();
    assert.equal(await page.chunk(), `<script>\np(${JSON.stringify(TAKEN)});\n</script>\r\n`);
    assert.equal(await page.chunk(), null);

    assert.equal((await post(`${url}/xhr_send`, '["still"]')).status, 204);
    assert.equal(await first.chunk(), 'a["still"]\n');
    for (const answer of [first, second, events, page]) answer.abort();
  });

  test("of two polls one is refused", async () => {
    const url = session(echo);
    await post(`${url}/xhr`);
    const polls = [post(`${url}/xhr`), post(`${url}/xhr`)];
    assert.equal((await Promise.race(polls)).body, `${TAKEN}\n`);
    await post(`${url}/xhr_send`, '["a"]');
    assert.deepEqual((await Promise.all(polls)).map((poll) => poll.body).sort(), ['a["a"]\n', `${TAKEN}\n`].sort());
  });
});

describe("a receiver that goes away in the middle", () => {
  test("of a stream ends the session", async () => {
    const url = session(echo);
    const stream = await streaming(url);
    await post(`${url}/xhr_send`, '["a"]');
    await stream.chunk();
    stream.abort();
    assert.equal(await pollPast(url, TAKEN), `${INTERRUPTED}\n`);
    assert.equal((await post(`${url}/xhr`)).body, `${INTERRUPTED}\n`, "as often as it is asked");
  });

  test("of a poll ends the session", async () => {
    const url = session(echo);
    await post(`${url}/xhr`);
    const poll = await waitingPoll(url);
    poll.abort();
    assert.equal(await pollPast(url, TAKEN), `${INTERRUPTED}\n`);
  });

  test("of a poll, saying that it sends no more, does too", async () => {
    const url = session(echo);
    await post(`${url}/xhr`);
    const poll = await waitingPoll(url);
    poll.finish();
    assert.equal(await pollPast(url, TAKEN), `${INTERRUPTED}\n`);
    poll.abort();
  });

  test("is not one whose response was whole", async () => {
    const url = session(echo);
    for (let i = 0; i < 5; i++) {
      const connection = await Connection.open(url);
      const answer = await connection.request("POST", `${url}/xhr`);
      assert.equal(await answer.text(), i === 0 ? "o\n" : `a["${i}"]\n`);
      connection.abort();
      assert.equal((await post(`${url}/xhr_send`, `["${i + 1}"]`)).status, 204);
    }
  });
});

describe("a close", () => {
  test("ends the receiver, and everybody who comes is told", async () => {
    const url = session(close);
    const first = await open("POST", `${url}/xhr_streaming`);
    await first.chunk();
    assert.equal(await first.chunk(), "o\n");
    assert.equal(await first.chunk(), 'c[3000,"Go away!"]\n');
    assert.equal(await first.chunk(), null);
    assert.equal((await post(`${url}/xhr`)).body, 'c[3000,"Go away!"]\n');
    assert.equal((await get(`${url}/jsonp?c=x`)).body, '/**/x("c[3000,\\"Go away!\\"]");\r\n');
    first.abort();
  });

  test("what is sent to a closed session reaches nobody", async () => {
    const url = session(close);
    await post(`${url}/xhr`);
    await post(`${url}/xhr`);
    assert.ok([204, 404].includes((await post(`${url}/xhr_send`, '["a"]')).status));
    assert.equal((await post(`${url}/xhr`)).body, 'c[3000,"Go away!"]\n');
  });
});

describe("names", () => {
  test("are a prefix's own", async () => {
    const id = randomUUID();
    assert.equal((await post(`${session(echo, id)}/xhr`)).body, "o\n");
    assert.equal((await post(`${session(cookies, id)}/xhr`)).body, "o\n");
    assert.equal((await post(`${session(close, id)}/xhr`)).body, "o\n");
    await post(`${session(echo, id)}/xhr_send`, '["echo"]');
    await post(`${session(cookies, id)}/xhr_send`, '["cookies"]');
    assert.equal((await post(`${session(echo, id)}/xhr`)).body, 'a["echo"]\n');
    assert.equal((await post(`${session(cookies, id)}/xhr`)).body, 'a["cookies"]\n');
  });

  test("are those of the transports over HTTP together, and not of WebSockets", async () => {
    const id = randomUUID();
    const url = session(echo, id);
    await get(`${url}/jsonp?c=x`);
    const socket = await Socket.open(`${url}/websocket`);
    assert.equal(await socket.next(), "o");
    socket.send('["socket"]');
    assert.equal(await socket.next(), 'a["socket"]');
    await post(`${url}/xhr_send`, '["http"]');
    assert.equal((await post(`${url}/xhr`)).body, 'a["http"]\n');
    socket.close();
  });

  test("count with their case, and as they are escaped", async () => {
    const id = randomUUID();
    await post(`${session(echo, `${id}a`)}/xhr`);
    assert.equal((await post(`${session(echo, `${id}A`)}/xhr_send`, '["x"]')).status, 404);
  });
});

describe("time", { concurrency: true }, () => {
  /** Milliseconds until the session at `url` does not take messages any more. */
  async function life(url) {
    const began = Date.now();
    while ((await post(`${url}/xhr_send`, "[]")).status === 204) {
      assert.ok(Date.now() - began < 10_000, "it does not end");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return Date.now() - began;
  }

  test("a session without a receiver goes after five seconds, and its name is free", async () => {
    const url = session(echo);
    await post(`${url}/xhr`);
    await post(`${url}/xhr_send`, '["lost"]');
    const ms = await life(url);
    assert.ok(ms > 4000 && ms < 7500, `${ms} ms`);
    assert.equal((await post(`${url}/xhr`)).body, "o\n");
  });

  test("a poll in between gives it five more", async () => {
    const url = session(echo);
    await post(`${url}/xhr`);
    await post(`${url}/xhr_send`, '["a"]');
    await new Promise((resolve) => setTimeout(resolve, 3000));
    assert.equal((await post(`${url}/xhr`)).body, 'a["a"]\n');
    const ms = await life(url);
    assert.ok(ms > 4000 && ms < 7500, `${ms} ms`);
  });

  test("a session with a receiver does not go", async () => {
    const url = session(echo);
    const stream = await streaming(url);
    const poll = session(echo);
    await post(`${poll}/xhr`);
    const waiting = post(`${poll}/xhr`);
    await new Promise((resolve) => setTimeout(resolve, 7000));
    await post(`${url}/xhr_send`, '["still"]');
    await post(`${poll}/xhr_send`, '["here"]');
    assert.equal(await stream.chunk(), 'a["still"]\n');
    assert.equal((await waiting).body, 'a["here"]\n');
    stream.abort();
  });

  test("a closed session says so for five seconds", async () => {
    const url = session(close);
    assert.equal((await post(`${url}/xhr`)).body, "o\n");
    assert.equal((await post(`${url}/xhr`)).body, 'c[3000,"Go away!"]\n');
    await new Promise((resolve) => setTimeout(resolve, 3000));
    assert.equal((await post(`${url}/xhr`)).body, 'c[3000,"Go away!"]\n');
    await new Promise((resolve) => setTimeout(resolve, 7000));
    assert.equal((await post(`${url}/xhr`)).body, "o\n");
  });
});
