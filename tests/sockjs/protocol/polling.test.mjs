/** `xhr`, `xhr_send`, `jsonp`, `jsonp_send`. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { echoServer, session } from "../lib/echo.mjs";
import { assertNeverCached, assertReadableBy, PLAIN, SCRIPT } from "../lib/headers.mjs";
import { ask, Connection, get, post } from "../lib/http.mjs";

const { echo, close } = await echoServer();
const FORM = { "Content-Type": "application/x-www-form-urlencoded" };
const PAGE = { Origin: "http://page.example" };

/** A new session of the echo server, open. */
async function opened() {
  const url = session(echo);
  assert.equal((await post(`${url}/xhr`)).body, "o\n");
  return url;
}

describe("xhr", () => {
  test("carries messages there and back", async () => {
    const url = session(echo);
    const greeting = await post(`${url}/xhr`, null, PAGE);
    assert.equal(greeting.status, 200);
    assert.equal(greeting.body, "o\n");
    assert.equal(greeting.headers["content-type"], SCRIPT);
    assertReadableBy(greeting, PAGE.Origin);
    assertNeverCached(greeting);

    const sent = await post(`${url}/xhr_send`, '["x"]', PAGE);
    assert.equal(sent.status, 204);
    assert.equal(sent.headers["content-type"], PLAIN);
    assert.equal(sent.headers["content-length"], undefined);
    assert.equal(sent.headers["transfer-encoding"], undefined);
    assertReadableBy(sent, PAGE.Origin);
    assertNeverCached(sent);

    const poll = await post(`${url}/xhr`, null, { Origin: "null" });
    assert.equal(poll.status, 200);
    assert.equal(poll.body, 'a["x"]\n');
    assertReadableBy(poll, "null");
  });

  test("a poll that waits is answered when something comes, with one frame", async () => {
    const url = await opened();
    const poll = post(`${url}/xhr`);
    assert.equal((await post(`${url}/xhr_send`, '["a"]')).status, 204);
    assert.equal((await poll).body, 'a["a"]\n');
  });

  test("what was sent between two polls comes in one frame, in order", async () => {
    const url = await opened();
    for (let i = 0; i < 20; i++) await post(`${url}/xhr_send`, JSON.stringify([`${i}a`, `${i}b`]));
    const expected = Array.from({ length: 20 }, (_, i) => [`${i}a`, `${i}b`]).flat();
    assert.equal((await post(`${url}/xhr`)).body, `a${JSON.stringify(expected)}\n`);
  });

  test("requests may follow each other on one connection", async () => {
    const url = session(echo);
    const connection = await Connection.open(url);
    for (const [path, body, status, text] of [
      ["xhr", "", 200, "o\n"], ["xhr_send", '["1"]', 204, ""], ["xhr", "", 200, 'a["1"]\n'], ["xhr_send", '["2"]', 204, ""],
      ["xhr_send", "nothing", 500, "Broken JSON encoding."], ["xhr", "", 200, 'a["2"]\n'],
    ]) {
      const answer = await connection.request("POST", `${url}/${path}`, { body });
      assert.equal(answer.status, status);
      assert.equal((await answer.text()).trim(), text.trim());
    }
    connection.abort();
  });

  test("xhr_send of nothing, of no array, and of broken JSON is 500 with the reason, and harms nothing", async () => {
    const url = await opened();
    for (const [body, reason] of [
      ["", "Payload expected."], ["{}", "Payload expected."], ["null", "Payload expected."], ["7", "Payload expected."],
      ['"a"', "Payload expected."], ['["x', "Broken JSON encoding."], ["x", "Broken JSON encoding."], ['["a"] ["b"]', "Broken JSON encoding."],
    ]) {
      const answer = await post(`${url}/xhr_send`, body, PAGE);
      assert.equal(answer.status, 500, body);
      assert.equal(answer.body.trim(), reason, body);
      assertReadableBy(answer, PAGE.Origin);
      assertNeverCached(answer);
    }
    assert.equal((await post(`${url}/xhr_send`, '["a"]')).status, 204);
    assert.equal((await post(`${url}/xhr`)).body, 'a["a"]\n');
  });

  test("members of the array that are no strings are refused as a whole", async () => {
    const url = await opened();
    for (const body of ["[1]", '["a",{}]', '[null,"a"]', '[["a"]]']) {
      assert.equal((await post(`${url}/xhr_send`, body)).status, 500, body);
    }
    await post(`${url}/xhr_send`, '["b"]');
    assert.equal((await post(`${url}/xhr`)).body, 'a["b"]\n');
  });

  test("an empty array is no message, and fine", async () => {
    const url = await opened();
    for (const body of ["[]", " [ ] ", "[]\n"]) assert.equal((await post(`${url}/xhr_send`, body)).status, 204, body);
    await post(`${url}/xhr_send`, ' [ "b" ]\n');
    assert.equal((await post(`${url}/xhr`)).body, 'a["b"]\n');
  });

  test("to a session that does not exist xhr_send is 404, but what is wrong with the body comes first", async () => {
    const url = session(echo);
    const answer = await post(`${url}/xhr_send`, '["x"]', PAGE);
    assert.equal(answer.status, 404);
    assertReadableBy(answer, PAGE.Origin);
    assert.equal((await post(`${url}/xhr_send`, "")).status, 500);
    assert.equal((await post(`${url}/xhr_send`, '["x')).status, 500);
    assert.equal((await post(`${url}/xhr`)).body, "o\n", "asking did not make it");
  });

  test("any content type will do", async () => {
    const url = await opened();
    const types = [
      "text/plain", "T", "application/json", "application/xml", "", "application/json; charset=utf-8",
      "text/xml; charset=utf-8", "text/xml", "text/plain;charset=UTF-8", undefined,
    ];
    for (const type of types) {
      assert.equal((await post(`${url}/xhr_send`, '["a"]', { "Content-Type": type })).status, 204, type);
    }
    assert.equal((await post(`${url}/xhr`)).body, `a${JSON.stringify(types.map(() => "a"))}\n`);
  });

  test("a body may come in chunks, as Node's clients send it", async () => {
    const url = await opened();
    const connection = await Connection.open(url);
    const answer = connection.request("POST", `${url}/xhr_send`, {
      headers: { "Transfer-Encoding": "chunked", "Content-Length": undefined },
    });
    connection.send('4\r\n["ab\r\n');
    connection.send('3\r\ncd"\r\n1\r\n]\r\n0\r\n\r\n');
    assert.equal((await answer).status, 204);
    connection.abort();
    assert.equal((await post(`${url}/xhr`)).body, 'a["abcd"]\n');
  });

  test("a server that closes says so at every poll", async () => {
    const url = session(close);
    assert.equal((await post(`${url}/xhr`)).body, "o\n");
    for (let i = 0; i < 3; i++) {
      const answer = await post(`${url}/xhr`);
      assert.equal(answer.status, 200);
      assert.equal(answer.body, 'c[3000,"Go away!"]\n');
    }
  });
});

describe("jsonp", () => {
  test("carries messages there and back", async () => {
    const url = session(echo);
    const greeting = await get(`${url}/jsonp?c=%63allback`);
    assert.equal(greeting.status, 200);
    assert.equal(greeting.headers["content-type"], SCRIPT);
    assert.equal(greeting.headers["x-content-type-options"], "nosniff");
    assertNeverCached(greeting);
    assert.equal(greeting.body, '/**/callback("o");\r\n');

    const sent = await post(`${url}/jsonp_send`, "d=%5B%22x%22%5D", FORM);
    assert.equal(sent.status, 200);
    assert.equal(sent.body, "ok");
    assert.equal(sent.headers["content-type"], PLAIN);
    assertNeverCached(sent);

    assert.equal((await get(`${url}/jsonp?c=_jp.a1b2c3`)).body, '/**/_jp.a1b2c3("a[\\"x\\"]");\r\n');
  });

  test("`callback` is as good as `c`, and the rest of the query does not matter", async () => {
    assert.equal((await get(`${session(echo)}/jsonp?t=1&callback=abc`)).body, '/**/abc("o");\r\n');
    assert.equal((await get(`${session(echo)}/jsonp?c=abc&t=x`)).body, '/**/abc("o");\r\n');
  });

  test("without a callback, or with one that is no name, it is 500", async () => {
    const none = await get(`${session(echo)}/jsonp`);
    assert.equal(none.status, 500);
    assert.match(none.body, /"callback" parameter required/);
    for (const name of ["%20", "a%28b", "%3Cscript%3E", "a%0Ab", "a%3Balert%281%29", "%C3%A9", `${"x".repeat(33)}`, "", "a%2Fb", "a%22"]) {
      const answer = await get(`${session(echo)}/jsonp?c=${name}`);
      assert.equal(answer.status, 500, name);
      assert.match(answer.body, /"callback" parameter/, name);
      assert.doesNotMatch(answer.body, /script|alert/);
    }
    const longest = "Az09-_.".padEnd(32, "x");
    assert.equal((await get(`${session(echo)}/jsonp?c=${longest}`)).body, `/**/${longest}("o");\r\n`);
  });

  test("jsonp_send of nothing, of no array, and of broken JSON is 500 with the reason, and harms nothing", async () => {
    const url = session(echo);
    await get(`${url}/jsonp?c=x`);
    for (const [body, reason] of [
      ["d=%5B%22x", "Broken JSON encoding."], ["", "Payload expected."], ["d=", "Payload expected."], ["p=p", "Payload expected."],
      ["d=%7B%7D", "Payload expected."],
    ]) {
      const answer = await post(`${url}/jsonp_send`, body, FORM);
      assert.equal(answer.status, 500, body);
      assert.equal(answer.body.trim(), reason, body);
    }
    assert.equal((await post(`${url}/jsonp_send`, "d=%5B%22b%22%5D", FORM)).body, "ok");
    assert.equal((await get(`${url}/jsonp?c=x`)).body, '/**/x("a[\\"b\\"]");\r\n');
  });

  test("jsonp_send takes forms and plain text", async () => {
    const url = session(echo);
    await get(`${url}/jsonp?c=x`);
    assert.equal((await post(`${url}/jsonp_send`, "x=1&d=%5B%22abc%20d+e%22%5D", FORM)).body, "ok");
    const charset = { "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8" };
    assert.equal((await post(`${url}/jsonp_send`, "d=%5B%22%C3%A9%F0%9F%98%80%22%5D", charset)).body, "ok");
    assert.equal((await post(`${url}/jsonp_send`, '["%61bc"]', { "Content-Type": "text/plain" })).body, "ok");
    const [, frame] = /^\/\*\*\/x\((.*)\);\r\n$/.exec((await get(`${url}/jsonp?c=x`)).body);
    assert.deepEqual(JSON.parse(JSON.parse(frame).slice(1)), ["abc d e", "é😀", "%61bc"]);
  });

  test("jsonp_send to a session that does not exist is 404", async () => {
    assert.equal((await post(`${session(echo)}/jsonp_send`, "d=%5B%22x%22%5D", FORM)).status, 404);
  });

  test("a server that closes says so at every poll", async () => {
    const url = session(close);
    assert.equal((await get(`${url}/jsonp?c=x`)).body, '/**/x("o");\r\n');
    for (let i = 0; i < 2; i++) assert.equal((await get(`${url}/jsonp?c=x`)).body, '/**/x("c[3000,\\"Go away!\\"]");\r\n');
  });

  test("is the same session as under xhr", async () => {
    const url = session(echo);
    await get(`${url}/jsonp?c=x`);
    assert.equal((await post(`${url}/xhr_send`, '["1"]')).status, 204);
    assert.equal((await post(`${url}/jsonp_send`, "d=%5B%222%22%5D", FORM)).body, "ok");
    assert.equal((await post(`${url}/xhr`)).body, 'a["1","2"]\n');
  });
});

test("a HEAD has no body, whatever it is answered", async () => {
  const connection = await Connection.open(echo);
  const answer = await connection.request("HEAD", `${echo}/info`);
  assert.ok([200, 405].includes(answer.status), `${answer.status}`);
  const next = await connection.request("GET", `${echo}/`);
  assert.equal(await next.text(), "Welcome to SockJS!\n");
  connection.abort();
  assert.equal((await ask("GET", `${echo}/`)).status, 200);
});
