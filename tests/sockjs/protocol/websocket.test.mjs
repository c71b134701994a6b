/** The WebSocket doors: SockJS' own, the raw one, and what is refused. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { echoServer, session } from "../lib/echo.mjs";
import { ask, Connection, get, open } from "../lib/http.mjs";
import { refusal, Socket } from "../lib/websocket.mjs";

const { url: server, echo, noWebSocket, close } = await echoServer();
const door = (prefix, id) => `${session(prefix, id)}/websocket`;
const HANDSHAKE = {
  Upgrade: "websocket",
  Connection: "Upgrade",
  "Sec-WebSocket-Version": "13",
  "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
};

async function opened(prefix = echo, id) {
  const socket = await Socket.open(door(prefix, id));
  assert.equal(await socket.next(), "o");
  return socket;
}

describe("SockJS' WebSocket", () => {
  test("greets, and carries arrays of messages", async () => {
    const socket = await opened();
    socket.send('["a"]');
    assert.equal(await socket.next(), 'a["a"]');
    socket.send('["b","c"]');
    const frames = [await socket.next()];
    if (frames[0] !== 'a["b","c"]') frames.push(await socket.next());
    assert.deepEqual(frames.flatMap((frame) => JSON.parse(frame.slice(1))), ["b", "c"]);
    socket.close();
  });

  test("a frame that is one string is one message; an empty frame and an empty array are none", async () => {
    const socket = await opened();
    for (const frame of ["", "[]", '"a"']) socket.send(frame);
    assert.equal(await socket.next(), 'a["a"]');
    socket.send("");
    socket.send('["b"]');
    assert.equal(await socket.next(), 'a["b"]');
    socket.close();
  });

  for (const broken of ['["a', "x", "{", '["a"] ["b"]', '"a']) {
    test(`broken JSON ends the connection: ${broken}`, async () => {
      const socket = await opened();
      socket.send(broken);
      let last = await socket.next();
      if (typeof last === "string") {
        assert.match(last, /^c\[\d{4},".*"\]$/);
        last = await socket.next();
      }
      assert.equal(typeof last.code, "number");
    });
  }

  test("a server that closes sends the close frame, then closes with 1000", async () => {
    const socket = await opened(close);
    assert.equal(await socket.next(), 'c[3000,"Go away!"]');
    const { code } = await socket.next();
    assert.equal(code, 1000);
  });

  test("TCP ends at once after the closing handshake", async () => {
    const connection = await Connection.open(close);
    assert.equal((await connection.request("GET", door(close), { headers: HANDSHAKE })).status, 101);
    const o = await connection.bytes(3);
    assert.deepEqual([...o], [0x81, 1, 0x6f]);
    const goAway = 'c[3000,"Go away!"]';
    assert.equal((await connection.bytes(2 + goAway.length)).subarray(2).toString(), goAway);
    assert.equal((await connection.bytes(2))[0], 0x88);
    // Our part of the handshake: a masked close with 1000.
    connection.send(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 3, 0xe8]));
    const began = Date.now();
    await connection.rest(3000);
    assert.ok(Date.now() - began < 2000);
    connection.abort();
  });

  test("two connections may have the same name, also one after the other", async () => {
    const id = `twice-${Date.now()}`;
    const [one, two] = [await opened(echo, id), await opened(echo, id)];
    one.send('["1"]');
    two.send('["2"]');
    assert.equal(await one.next(), 'a["1"]');
    assert.equal(await two.next(), 'a["2"]');
    one.close();
    two.close();
    const three = await opened(echo, id);
    three.send('["3"]');
    assert.equal(await three.next(), 'a["3"]');
    three.close();
    assert.equal((await ask("POST", `${session(echo, id)}/xhr`)).body, "o\n", "nor are they the session of other transports");
  });

  test("large and fragmented messages come back whole", async () => {
    const socket = await opened();
    const text = "é😀x".repeat(40_000);
    socket.ws.send('["', { fin: false });
    for (let at = 0; at < text.length; at += 60_000) socket.ws.send(text.slice(at, at + 60_000), { fin: false });
    socket.ws.send('"]', { fin: true });
    assert.equal(JSON.parse((await socket.next()).slice(1))[0], text);
    socket.close();
  });

  test("pings are answered", async () => {
    const socket = await opened();
    const pong = new Promise((resolve) => socket.ws.once("pong", resolve));
    socket.ws.ping("there?");
    assert.equal((await pong).toString(), "there?");
    socket.close();
  });
});

describe("handshakes", () => {
  test("of version 13 are answered as RFC 6455 says", async () => {
    const answer = await open("GET", door(echo), { headers: HANDSHAKE });
    assert.equal(answer.status, 101);
    assert.equal(answer.headers["sec-websocket-accept"], "HSmrc0sMlYUkAGmm5OPpG2HaGWk=");
    assert.equal(answer.headers.connection.toLowerCase(), "upgrade");
    assert.equal(answer.headers.upgrade.toLowerCase(), "websocket");
    assert.equal(answer.headers["content-length"], undefined);
    assert.deepEqual([...(await answer.connection.bytes(3))], [0x81, 1, 0x6f]);
    answer.abort();
  });

  test("of other versions are told which one is spoken", async () => {
    for (const version of ["7", "8", "12", "14", "x"]) {
      const answer = await ask("GET", door(echo), { headers: { ...HANDSHAKE, "Sec-WebSocket-Version": version } });
      assert.equal(answer.status, 426, version);
      assert.equal(answer.headers["sec-websocket-version"], "13");
    }
  });

  test("`Connection` may have more in it, in any case", async () => {
    for (const connection of ["keep-alive, Upgrade", "keep-alive,upgrade", "UPGRADE"]) {
      const answer = await open("GET", door(echo), { headers: { ...HANDSHAKE, Connection: connection } });
      assert.equal(answer.status, 101, connection);
      answer.abort();
    }
  });

  test("draft 76, which no browser has spoken since 2012, is told the version that there is", async () => {
    const headers = {
      Connection: "Upgrade",
      Upgrade: "WebSocket",
      Origin: server,
      "Sec-WebSocket-Key1": "4 @1  46546xW%0l 1 5",
      "Sec-WebSocket-Key2": "12998 5 Y3 1  .P00",
    };
    const answer = await ask("GET", door(echo), { headers });
    assert.equal(answer.status, 426);
    assert.equal(answer.headers["sec-websocket-version"], "13");
  });

  test("without an upgrade it is 400, in SockJS' words", async () => {
    const answer = await get(`${echo}/0/0/websocket`);
    assert.equal(answer.status, 400);
    assert.equal(answer.body.trim(), 'Can "Upgrade" only to "WebSocket".');
  });

  test("a wrong `Connection`, no key, or another upgrade is 400", async () => {
    for (const wrong of [{ Connection: "close" }, { "Sec-WebSocket-Key": undefined }, { Upgrade: "h2c" }]) {
      const answer = await ask("GET", door(echo), { headers: { ...HANDSHAKE, ...wrong } });
      assert.equal(answer.status, 400, JSON.stringify(wrong));
    }
  });

  test("where WebSockets are off both doors are 404", async () => {
    for (const url of [door(noWebSocket), `${noWebSocket}/websocket`]) {
      assert.equal(await refusal(url), 404);
      assert.equal((await get(url)).status, 404);
    }
  });

  test("on paths that are none it is 404, and the server lives on", async () => {
    for (const path of ["/echo/a/b/c/websocket", "/echo//b/websocket", "/echo/a.b/c/websocket", "/nothing", "/echo/a/b/xhr", "/echo/info"]) {
      const answer = await ask("GET", server + path, { headers: HANDSHAKE });
      assert.ok(answer.status >= 400 && answer.status < 500 || (path === "/echo/info" && answer.status === 200), `${path}: ${answer.status}`);
    }
    (await opened()).close();
  });
});

describe("raw WebSocket", () => {
  test("has no framing of its own", async () => {
    const socket = await Socket.open(`${echo}/websocket`);
    for (const text of ["Hello world!\uffff", '["a"]', "é😀\0"]) {
      socket.send(text);
      assert.equal(await socket.next(), text);
    }
    socket.close();
  });

  test("binary stays binary", async () => {
    const socket = await Socket.open(`${echo}/websocket`);
    const bytes = Buffer.from([0, 255, 10, 128, 200]);
    socket.send(bytes);
    assert.deepEqual(await socket.next(), bytes);
    socket.close();
  });

  test("a server that closes does so with its code and reason", async () => {
    const socket = await Socket.open(`${close}/websocket`);
    assert.deepEqual(await socket.next(), { code: 3000, reason: "Go away!" });
  });
});
