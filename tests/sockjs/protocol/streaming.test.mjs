/** `xhr_streaming`, `eventsource`, `htmlfile`: one chunk a frame, a prelude first, and an end after the response limit. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { echoServer, session } from "../lib/echo.mjs";
import { assertNeverCached, assertReadableBy, HTML, SCRIPT } from "../lib/headers.mjs";
import { get, open, post } from "../lib/http.mjs";

const { echo, close } = await echoServer();
const LIMIT = 4096;

const PAGE_HEAD = `<!doctype html>
<html><head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
</head><body><h2>Don't panic!</h2>
  <script>
    document.domain = document.domain;
    var c = parent.callback;
    c.start();
    function p(d) {c.message(d);};
    window.onload = function() {c.stop();};
  </script>`;

const STREAMS = {
  xhr_streaming: {
    begin: (url) => open("POST", `${url}/xhr_streaming`, { headers: { Origin: "http://page.example" } }),
    type: SCRIPT,
    shared: true,
    prelude: (text) => assert.equal(text, `${"h".repeat(2048)}\n`),
    frame: (frame) => `${frame}\n`,
  },
  eventsource: {
    begin: (url) => open("GET", `${url}/eventsource`, { headers: { Origin: "http://page.example" } }),
    type: "text/event-stream",
    shared: true,
    prelude: (text) => assert.equal(text, "\r\n"),
    frame: (frame) => `data: ${frame}\r\n\r\n`,
  },
  htmlfile: {
    begin: (url) => open("GET", `${url}/htmlfile?c=%63allback`, { headers: { Origin: "http://page.example" } }),
    type: HTML,
    shared: false,
    prelude: (text) => {
      assert.equal(text.trimEnd(), PAGE_HEAD);
      assert.ok(text.length > 1024, `${text.length} bytes`);
      assert.ok(text.endsWith("\r\n\r\n"));
    },
    frame: (frame) => `<script>\np(${JSON.stringify(frame)});\n</script>\r\n`,
  },
};

for (const [name, stream] of Object.entries(STREAMS)) {
  /** A stream that said hello. */
  const opened = async (url = session(echo)) => {
    const answer = await stream.begin(url);
    stream.prelude(await answer.chunk());
    assert.equal(await answer.chunk(), stream.frame("o"));
    return { url, answer };
  };

  describe(name, () => {
    test("begins with a prelude, then a chunk for each frame", async () => {
      const { url, answer } = await opened();
      assert.equal(answer.status, 200);
      assert.equal(answer.headers["content-type"], stream.type);
      assert.equal(answer.headers["content-length"], undefined);
      assertNeverCached(answer);
      if (stream.shared) assertReadableBy(answer, "http://page.example");
      for (const text of ["x", "a b", "ü€", "  "]) {
        assert.equal((await post(`${url}/xhr_send`, JSON.stringify([text]))).status, 204);
        assert.equal(await answer.chunk(), stream.frame(`a["${text}"]`));
      }
      answer.abort();
    });

    test("ends after the response limit, framing counted and prelude not, and goes on where it was", async () => {
      const { url, answer } = await opened();
      let bytes = stream.frame("o").length;
      const frame = stream.frame(`a["${"x".repeat(128)}"]`);
      while (bytes < LIMIT) {
        await post(`${url}/xhr_send`, JSON.stringify(["x".repeat(128)]));
        assert.equal(await answer.chunk(), frame, `after ${bytes} bytes`);
        bytes += frame.length;
      }
      assert.equal(await answer.chunk(), null, `after ${bytes} bytes`);
      answer.abort();

      await post(`${url}/xhr_send`, '["between"]');
      const next = await stream.begin(url);
      stream.prelude(await next.chunk());
      assert.equal(await next.chunk(), stream.frame('a["between"]'));
      await post(`${url}/xhr_send`, '["after"]');
      assert.equal(await next.chunk(), stream.frame('a["after"]'));
      next.abort();
    });

    test("a single message over the limit goes out whole", async () => {
      const { url, answer } = await opened();
      const text = "x".repeat(3 * LIMIT);
      await post(`${url}/xhr_send`, JSON.stringify([text]));
      assert.equal(await answer.chunk(), stream.frame(`a["${text}"]`));
      assert.equal(await answer.chunk(), null);
      answer.abort();
    });

    test("a server that closes says so, ends the response, and says so again", async () => {
      const url = session(close);
      const first = await opened(url);
      assert.equal(await first.answer.chunk(), stream.frame('c[3000,"Go away!"]'));
      assert.equal(await first.answer.chunk(), null);
      const again = await stream.begin(url);
      stream.prelude(await again.chunk());
      assert.equal(await again.chunk(), stream.frame('c[3000,"Go away!"]'));
      assert.equal(await again.chunk(), null);
      first.answer.abort();
      again.abort();
    });

    test("many messages come in order, none lost over the ends of responses", async () => {
      const url = session(echo);
      const COUNT = 300;
      const sending = (async () => {
        for (let i = 0; i < COUNT; i += 10) {
          const messages = Array.from({ length: 10 }, (_, j) => `message ${i + j} ${"y".repeat(40)}`);
          assert.equal((await post(`${url}/xhr_send`, JSON.stringify(messages))).status, 204);
        }
      });
      const got = [];
      let answer = (await opened(url)).answer;
      const done = sending();
      while (got.length < COUNT) {
        const chunk = await answer.chunk();
        if (chunk === null) {
          answer = await stream.begin(url);
          stream.prelude(await answer.chunk());
          continue;
        }
        got.push(...chunk.matchAll(/message (\d+) /g));
      }
      await done;
      answer.abort();
      assert.deepEqual(got.map((match) => Number(match[1])), Array.from({ length: COUNT }, (_, i) => i));
    });
  });
}

test("eventsource escapes what its framing or a client's unescaping would garble", async () => {
  const url = session(echo);
  const answer = await STREAMS.eventsource.begin(url);
  await answer.chunk();
  await answer.chunk();
  const text = "  100% \r\n\0%25 ";
  await post(`${url}/xhr_send`, JSON.stringify([text]));
  const [, data] = /^data: (.*)\r\n\r\n$/.exec(await answer.chunk());
  assert.ok(data.includes("100%25 ") && data.includes("%2525"), data);
  // What sockjs-client does with it: unescape, then JSON.
  assert.deepEqual(JSON.parse(unescape(data).slice(1)), [text]);
  answer.abort();
});

test("htmlfile lets no message end its script", async () => {
  const url = session(echo);
  const answer = await STREAMS.htmlfile.begin(url);
  await answer.chunk();
  await answer.chunk();
  const text = "</script><script>alert(1)</script><!--<script>]]>";
  await post(`${url}/xhr_send`, JSON.stringify([text]));
  const [, data] = /^<script>\np\((".*")\);\n<\/script>\r\n$/.exec(await answer.chunk());
  assert.doesNotMatch(data, /<\/|<!--|<script/i);
  assert.deepEqual(JSON.parse(JSON.parse(data).slice(1)), [text]);
  answer.abort();
});

test("htmlfile without a callback, or with one that is no name, is 500", async () => {
  const none = await get(`${session(echo)}/htmlfile`);
  assert.equal(none.status, 500);
  assert.match(none.body, /"callback" parameter required/);
  for (const name of ["%20", "%3C%2Fscript%3E", "a%3Balert%281%29", "a%28", "x".repeat(33), ""]) {
    const answer = await get(`${session(echo)}/htmlfile?c=${name}`);
    assert.equal(answer.status, 500, name);
    assert.doesNotMatch(answer.body, /<\/script|alert/);
  }
});

