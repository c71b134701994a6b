/** HTTP itself: versions 1.0 and 1.1, connections that are used again, and cookies for load balancers. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { echoServer, session } from "../lib/echo.mjs";
import { ask, Connection, get, open, post } from "../lib/http.mjs";

const { echo, close, cookies } = await echoServer();
const KEEP = { Connection: "Keep-Alive" };
const FORM = { "Content-Type": "application/x-www-form-urlencoded" };

describe("HTTP/1.0", () => {
  test("an answer says its length, or ends the connection", async () => {
    const connection = await Connection.open(echo);
    const greets = () => connection.request("GET", `${echo}/`, { version: "1.0", headers: KEEP });
    const answer = await greets();
    assert.equal(answer.status, 200);
    assert.equal(answer.headers["transfer-encoding"], undefined);
    assert.equal(await answer.text(), "Welcome to SockJS!\n");
    if (answer.headers["content-length"] === undefined) {
      assert.equal(answer.headers.connection.toLowerCase(), "close");
    } else if (answer.headers.connection?.toLowerCase() === "keep-alive") {
      assert.equal(await (await greets()).text(), "Welcome to SockJS!\n");
    } else {
      assert.equal((await connection.rest()).length, 0);
    }
    connection.abort();
  });

  const STREAMS = [
    ["POST", "/xhr_streaming", /^h{2048}\no\nc\[3000,"Go away!"\]\n$/],
    ["GET", "/eventsource", /^\r\ndata: o\r\n\r\ndata: c\[3000,"Go away!"\]\r\n\r\n$/],
    ["GET", "/htmlfile?c=x", /p\("o"\);[^]*p\("c\[3000,\\"Go away!\\"\]"\);\n<\/script>\r\n$/],
    ["POST", "/xhr", /^o\n$/],
  ];
  for (const [method, path, whole] of STREAMS) {
    test(`${path} comes without chunks, and ends with the connection`, async () => {
      const answer = await open(method, session(close) + path, { version: "1.0", headers: KEEP });
      assert.equal(answer.status, 200);
      assert.equal(answer.headers["transfer-encoding"], undefined);
      if (path !== "/xhr") assert.equal(answer.headers["content-length"], undefined);
      if (answer.headers["content-length"] === undefined) {
        assert.match((await answer.connection.rest()).toString(), whole);
      } else {
        assert.match(await answer.text(), whole);
      }
      answer.abort();
    });
  }

  test("a poll that waits and a message to it", async () => {
    const url = session(echo);
    await ask("POST", `${url}/xhr`, { version: "1.0" });
    const poll = ask("POST", `${url}/xhr`, { version: "1.0" });
    const sent = await ask("POST", `${url}/xhr_send`, { version: "1.0", body: '["a"]' });
    assert.equal(sent.status, 204);
    assert.equal((await poll).body, 'a["a"]\n');
  });
});

describe("HTTP/1.1", () => {
  test("a connection is used again", async () => {
    const connection = await Connection.open(echo);
    for (let i = 0; i < 3; i++) {
      const answer = await connection.request("GET", `${echo}/`, { headers: KEEP });
      assert.equal(answer.version, "1.1");
      assert.ok(["keep-alive", undefined].includes(answer.headers.connection?.toLowerCase()));
      assert.equal(await answer.text(), "Welcome to SockJS!\n");
    }
    connection.abort();
  });

  test("also after a stream that ended, and after every kind of failure", async () => {
    const connection = await Connection.open(echo);
    const stream = await connection.request("POST", `${session(close)}/xhr_streaming`);
    assert.equal(stream.headers["transfer-encoding"], "chunked");
    assert.equal(stream.headers["content-length"], undefined);
    assert.match(await stream.text(), /Go away/);
    for (const [method, path, status] of [
      ["POST", "/000/none/xhr_send", 500], ["GET", "/nothing", 404], ["GET", "/a/a/xhr", 405], ["OPTIONS", "/a/a/xhr", 204],
      ["GET", "/a/a/jsonp", 500], ["GET", "/iframe.html", 200], ["GET", "/", 200],
    ]) {
      const answer = await connection.request(method, echo + path);
      assert.equal(answer.status, status, path);
      await answer.text();
    }
    connection.abort();
  });

  test("who asks for the end of the connection gets it", async () => {
    const answer = await open("GET", `${echo}/`, { headers: { Connection: "close" } });
    assert.equal(await answer.text(), "Welcome to SockJS!\n");
    assert.equal((await answer.connection.rest()).length, 0);
  });

  test("a body is waited for, however slowly it comes", async () => {
    const url = session(echo);
    await post(`${url}/xhr`);
    const connection = await Connection.open(url);
    const answer = connection.request("POST", `${url}/xhr_send`, { headers: { "Content-Length": 8 } });
    for (const byte of '["slow"]') {
      connection.send(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal((await answer).status, 204);
    connection.abort();
    assert.equal((await post(`${url}/xhr`)).body, 'a["slow"]\n');
  });
});

describe("JSESSIONID", () => {
  const ways = {
    xhr: (url, headers) => post(`${url}/xhr`, null, headers),
    xhr_streaming: (url, headers) => open("POST", `${url}/xhr_streaming`, { headers }),
    eventsource: (url, headers) => open("GET", `${url}/eventsource`, { headers }),
    htmlfile: (url, headers) => open("GET", `${url}/htmlfile?c=x`, { headers }),
    jsonp: (url, headers) => get(`${url}/jsonp?c=x`, headers),
    xhr_send: async (url, headers) => {
      await post(`${url}/xhr`);
      return post(`${url}/xhr_send`, '["x"]', headers);
    },
    jsonp_send: async (url, headers) => {
      await post(`${url}/xhr`);
      return post(`${url}/jsonp_send`, "d=%5B%22x%22%5D", { ...FORM, ...headers });
    },
  };
  for (const [name, way] of Object.entries(ways)) {
    test(`is set by ${name}, as it was where there was one, and only where it is needed`, async () => {
      for (const [cookie, expected] of [
        [undefined, "dummy"], ["JSESSIONID=abcdef", "abcdef"], ["a=b; JSESSIONID=x-1.n2; c=d", "x-1.n2"], ["NOTJSESSIONID=a", "dummy"],
      ]) {
        const answer = await way(session(cookies), { Cookie: cookie });
        answer.abort();
        const [first, second] = answer.headers["set-cookie"].split(";").map((part) => part.trim());
        assert.equal(first, `JSESSIONID=${expected}`);
        assert.equal(second.toLowerCase(), "path=/");
      }
      const without = await way(session(echo), { Cookie: "JSESSIONID=abcdef" });
      without.abort();
      assert.equal(without.headers["set-cookie"], undefined);
    });
  }
});
