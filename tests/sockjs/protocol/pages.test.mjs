/** What is answered without a session: the greeting, the iframe page, `/info`, preflights, and paths that are not there. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { echoServer, session } from "../lib/echo.mjs";
import { assertKeptForLong, assertNeverCached, assertNotAllowed, assertReadableBy, HTML, PLAIN } from "../lib/headers.mjs";
import { ask, get, post } from "../lib/http.mjs";

const { url, echo, noWebSocket, cookies } = await echoServer();
const ORIGINS = [undefined, "http://page.example", "null"];

const from = (origin, more = {}) => (origin === undefined ? more : { ...more, Origin: origin });

describe("greeting", () => {
  test("the base URL greets, with and without a slash", async () => {
    for (const path of [echo, `${echo}/`]) {
      const answer = await get(path);
      assert.equal(answer.status, 200);
      assert.equal(answer.headers["content-type"], PLAIN);
      assert.equal(answer.body, "Welcome to SockJS!\n");
      assert.equal(answer.headers["set-cookie"], undefined);
    }
  });

  test("what is not there is 404, and no path is tidied", async () => {
    for (const path of [
      "/a", "/a.html", "//", "///", "/a/a", "/a/a/", "/a/", "/./info", "/a/../info", "//info", "/%2e/info", "/a/b/c/d", "/INFO",
    ]) {
      assert.equal((await get(echo + path)).status, 404, path);
    }
    for (const path of ["/echoX", "/echoX/info", "/ech", "//echo", "/echo%2Finfo"]) {
      assert.equal((await get(url + path)).status, 404, path);
    }
  });
});

describe("iframe page", () => {
  const NAMES = ["/iframe.html", "/iframe-a.html", "/iframe-.html", "/iframe-0.1.2.html", "/iframe-0.1.2abc-dirty.2144.html"];

  test("every version of the page is the same, cacheable, and loads the client", async () => {
    const first = await get(echo + NAMES[0]);
    const queried = ["/iframe-a.html?t=1234", "/iframe-0.1.2.html?t=123414", "/iframe-0.1.2abc-dirty.2144.html?t=qweqweq123"];
    for (const name of [...NAMES, ...queried]) {
      const page = await get(echo + name);
      assert.equal(page.status, 200, name);
      assert.equal(page.headers["content-type"], HTML);
      assertKeptForLong(page);
      assert.match(page.headers.etag, /^(W\/)?"[^"]+"$/);
      assert.equal(page.headers.etag, first.headers.etag);
      assert.equal(page.headers["set-cookie"], undefined);
      assert.equal(page.body, first.body);
    }
    assert.match(first.body, /^<!DOCTYPE html>\n/);
    assert.match(first.body, /<script src="(\/|https?:\/\/)[^"<>]+"><\/script>/);
    assert.match(first.body, /SockJS\.bootstrap_iframe\(\)/);
  });

  test("a page that is known already is 304: no body, no type, but the tag", async () => {
    const { headers } = await get(`${echo}/iframe.html`);
    for (const known of [headers.etag, `"other", ${headers.etag}`, "*"]) {
      const answer = await get(`${echo}/iframe.html`, { "If-None-Match": known });
      assert.equal(answer.status, 304, known);
      assert.equal(answer.headers["content-type"], undefined);
      assert.equal(answer.headers["content-length"] ?? "0", "0");
      assert.equal(answer.headers.etag, headers.etag);
      assert.equal(answer.body, "");
    }
    assert.equal((await get(`${echo}/iframe.html`, { "If-None-Match": '"other"' })).status, 200);
  });

  test("other names are 404", async () => {
    for (const name of ["/iframe.htm", "/iframe", "/IFRAME.HTML", "/IFRAME", "/iframe.HTML", "/iframe.xml", "/iframe-/.html", "/iframe.html/a"]) {
      assert.equal((await get(echo + name)).status, 404, name);
    }
  });
});

describe("info", () => {
  for (const origin of ORIGINS) {
    test(`says what the server can do to a page of origin ${origin}`, async () => {
      const answer = await get(`${echo}/info`, from(origin));
      assert.equal(answer.status, 200);
      assert.equal(answer.headers["content-type"], "application/json; charset=UTF-8");
      assertNeverCached(answer);
      assertReadableBy(answer, origin);
      assert.equal(answer.headers["set-cookie"], undefined);
      const { entropy, ...info } = JSON.parse(answer.body);
      assert.deepEqual(info, { websocket: true, origins: ["*:*"], cookie_needed: false });
      assert.ok(Number.isInteger(entropy) && entropy >= 0 && entropy < 2 ** 32, `entropy ${entropy}`);
    });
  }

  test("the entropy is another one each time", async () => {
    const seen = new Set();
    for (let i = 0; i < 20; i++) seen.add(JSON.parse((await get(`${echo}/info?t=${i}`)).body).entropy);
    assert.equal(seen.size, 20);
  });

  test("tells where WebSockets are off and cookies needed, and sets no cookie itself", async () => {
    assert.equal(JSON.parse((await get(`${noWebSocket}/info`)).body).websocket, false);
    const answer = await get(`${cookies}/info`, { Cookie: "JSESSIONID=abc" });
    assert.equal(JSON.parse(answer.body).cookie_needed, true);
    assert.equal(answer.headers["set-cookie"], undefined);
  });
});

describe("preflight", () => {
  const DOORS = [
    ["/info", "OPTIONS, GET"],
    ["/abc/abc/xhr", "OPTIONS, POST"],
    ["/abc/abc/xhr_send", "OPTIONS, POST"],
    ["/abc/abc/xhr_streaming", "OPTIONS, POST"],
  ];
  for (const [door, methods] of DOORS) {
    test(`of ${door}`, async () => {
      for (const origin of ORIGINS) {
        const answer = await ask("OPTIONS", echo + door, { headers: from(origin) });
        assert.equal(answer.status, 204);
        assert.equal(answer.headers["access-control-allow-methods"], methods);
        assert.ok(Number(answer.headers["access-control-max-age"]) > 1_000_000);
        assertKeptForLong(answer);
        assertReadableBy(answer, origin);
        assert.equal(answer.headers["content-length"], undefined);
        assert.equal(answer.headers["transfer-encoding"], undefined);
      }
    });
  }

  test("the headers asked for are allowed in the words they were asked in", async () => {
    for (const door of ["/info", "/abc/abc/xhr_send"]) {
      const asks = (headers) => ask("OPTIONS", echo + door, { headers: { Origin: "http://page.example", ...headers } });
      const answer = await asks({ "Access-Control-Request-Headers": "a, b,X-C" });
      assert.equal(answer.headers["access-control-allow-headers"], "a, b,X-C");
      assert.equal((await asks({ "Access-Control-Request-Headers": "" })).headers["access-control-allow-headers"], undefined);
      assert.equal((await asks({})).headers["access-control-allow-headers"], undefined);
    }
    const poll = await post(`${session(echo)}/xhr`, null, { "Access-Control-Request-Headers": "a, b, c" });
    assert.equal(poll.headers["access-control-allow-headers"], "a, b, c");
    assert.equal((await post(`${session(echo)}/xhr`)).headers["access-control-allow-headers"], undefined);
  });
});

describe("methods", () => {
  const DOORS = [
    ["/info", "POST", ["OPTIONS", "GET"]],
    ["/a/a/xhr", "GET", ["OPTIONS", "POST"]],
    ["/a/a/xhr_send", "PUT", ["OPTIONS", "POST"]],
    ["/a/a/xhr_streaming", "GET", ["OPTIONS", "POST"]],
    ["/a/a/jsonp", "POST", ["GET"]],
    ["/a/a/jsonp_send", "GET", ["POST"]],
    ["/a/a/eventsource", "POST", ["GET"]],
    ["/a/a/htmlfile", "DELETE", ["GET"]],
    ["/a/a/websocket", "POST", ["GET"]],
  ];
  for (const [door, method, allowed] of DOORS) {
    test(`${method} ${door} is 405`, async () => {
      assertNotAllowed(await ask(method, echo + door), allowed);
    });
  }

  test("a POST with upgrade headers is 405 too", async () => {
    const headers = {
      Connection: "Upgrade", Upgrade: "WebSocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
    };
    assertNotAllowed(await post(`${echo}/0/0/websocket`, null, headers), ["GET"]);
  });
});

describe("session URLs", () => {
  test("server and session may be anything without a dot or a slash", async () => {
    for (const path of ["/a/a", "/_/_", "/1/1", "/abcdefgh_i-j%20/abcdefg_i-j%20", `/000/${"x".repeat(128)}`]) {
      const answer = await post(`${echo}${path}/xhr`);
      assert.equal(answer.status, 200, path);
      assert.equal(answer.body, "o\n", path);
    }
  });

  test("nothing empty, no dots, not more and not fewer parts", async () => {
    for (const path of ["//", "/a./a", "/a/a.", "/./.", "/", "///", "/a", "//a", "/a/", "/a/b/c", "/.../x"]) {
      assert.equal((await get(`${echo}${path}/xhr`)).status, 404, path);
      assert.equal((await post(`${echo}${path}/xhr`)).status, 404, path);
    }
    assert.equal((await post(`${session(echo)}/unknown`)).status, 404);
    assert.equal((await post(`${session(echo)}/xhr_`)).status, 404);
  });

  test("the server part does not count", async () => {
    const id = "ignored-" + Date.now();
    assert.equal((await post(`${echo}/000/${id}/xhr`)).body, "o\n");
    assert.equal((await post(`${echo}/111/${id}/xhr_send`, '["a"]')).status, 204);
    assert.equal((await post(`${echo}/999/${id}/xhr`)).body, 'a["a"]\n');
  });
});
