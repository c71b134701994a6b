/** Any text gets through, in both directions, and what a browser might garble is escaped. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { echoServer, session } from "../lib/echo.mjs";
import { get, open, post } from "../lib/http.mjs";
import { Socket } from "../lib/websocket.mjs";

const { echo } = await echoServer();

const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const escape4 = (code) => `\\u${code.toString(16).padStart(4, "0")}`;

/** What servers have to escape, beyond ASCII. */
const ESCAPED = [
  ...range(0x200c, 0x200f), ...range(0x2028, 0x202f), ...range(0x2060, 0x206f), ...range(0xfff0, 0xffff),
];

/** Characters that clients escape, because some browser or other garbles them; and all the rest of a plane, in steps. */
const SENT_ESCAPED = [
  ...range(0, 0x1f), ...range(0x7f, 0x9f), 0xad, ...range(0x300, 0x333), ...range(0x600, 0x604), 0x70f, 0x17b4, 0x17b5, 0x1fbe,
  ...range(0x2000, 0x20ff), 0x2126, 0x302b, ...range(0xf900, 0xfa2d), 0xfeff, ...range(0xfff0, 0xffff),
];

const TRICKY = [
  "100%", "%25", "</script>", "<!--", "\u2028\u2029", "\0", "\b\f\n\r\t\v", "\u007f\u0080\u009f", "\"\\/'", "\ufeffx", "\u200c\u200d",
  "\ufff0\ufffe\uffff", "😀👩‍👩‍👧", "é\u0301", "\u{10ffff}", "  ", "&amp;<b>", "]]>", "a\\u0041", "",
];

async function opened() {
  const url = session(echo);
  await post(`${url}/xhr`);
  return url;
}

/** How a message looks when each transport has brought it back: the frame as its client sees it. */
const BACK = {
  xhr: async (url) => (await post(`${url}/xhr`)).body.replace(/\n$/, ""),
  jsonp: async (url) => JSON.parse(/^\/\*\*\/cb\((.*)\);\r\n$/s.exec((await get(`${url}/jsonp?c=cb`)).body)[1]),
  xhr_streaming: (url) => streamed(url, "POST", "xhr_streaming", (chunk) => chunk.replace(/\n$/, "")),
  eventsource: (url) => streamed(url, "GET", "eventsource", (chunk) => unescape(/^data: (.*)\r\n\r\n$/s.exec(chunk)[1])),
  htmlfile: (url) =>
    streamed(url, "GET", "htmlfile?c=cb", (chunk) => JSON.parse(/^<script>\np\((.*)\);\n<\/script>\r\n$/s.exec(chunk)[1])),
};

async function streamed(url, method, path, understand) {
  const stream = await open(method, `${url}/${path}`);
  await stream.chunk();
  const frame = understand(await stream.chunk());
  stream.abort();
  return frame;
}

test("what is sent as it is comes back escaped, in lower case", async () => {
  const url = await opened();
  await post(`${url}/xhr_send`, JSON.stringify([String.fromCharCode(...ESCAPED)]));
  assert.equal((await post(`${url}/xhr`)).body, `a["${ESCAPED.map(escape4).join("")}"]\n`);
});

test("what is sent escaped is understood", async () => {
  const url = await opened();
  for (const codes of [SENT_ESCAPED, range(0, 0xd7ff), range(0xe000, 0xffff)]) {
    await post(`${url}/xhr_send`, `["${codes.map(escape4).join("")}"]`);
    const { body } = await post(`${url}/xhr`);
    const [text] = JSON.parse(body.slice(1));
    assert.equal(text.length, codes.length);
    for (const [i, code] of codes.entries()) assert.equal(text.charCodeAt(i), code);
  }
});

test("of a pair of surrogates both halves may be escaped; a half alone becomes U+FFFD", async () => {
  const url = await opened();
  await post(`${url}/xhr_send`, '["\\ud83d\\ude00","\\uD83D\\uDE00 \\ud800","\\udc00x\\ud800","\\ud800\\ud800"]');
  const { body } = await post(`${url}/xhr`);
  assert.deepEqual(JSON.parse(body.slice(1)), ["😀", "😀 \ufffd", "\ufffdx\ufffd", "\ufffd\ufffd"]);
});

test("over a WebSocket too", async () => {
  const socket = await Socket.open(`${session(echo)}/websocket`);
  assert.equal(await socket.next(), "o");
  socket.send(JSON.stringify([String.fromCharCode(...ESCAPED)]));
  assert.equal(await socket.next(), `a["${ESCAPED.map(escape4).join("")}"]`);
  socket.send('["\\ud83d\\ude00 \\ud800"]');
  assert.deepEqual(JSON.parse((await socket.next()).slice(1)), ["😀 \ufffd"]);
  for (const text of TRICKY) {
    socket.send(JSON.stringify([text]));
    assert.deepEqual(JSON.parse((await socket.next()).slice(1)), [text]);
  }
  socket.close();
});

describe("the same text comes out of every transport", () => {
  for (const [name, back] of Object.entries(BACK)) {
    test(name, async () => {
      const url = await opened();
      assert.equal((await post(`${url}/xhr_send`, JSON.stringify(TRICKY))).status, 204);
      assert.deepEqual(JSON.parse((await back(url)).slice(1)), TRICKY);
    });
  }
});

test("text that is no UTF-8 is refused, and harms nothing", async () => {
  const url = await opened();
  const bytes = Buffer.from([0x5b, 0x22, 0xff, 0xfe, 0x22, 0x5d]);
  assert.ok([400, 500].includes((await post(`${url}/xhr_send`, bytes)).status));
  await post(`${url}/xhr_send`, '["fine"]');
  assert.equal((await post(`${url}/xhr`)).body, 'a["fine"]\n');
});
