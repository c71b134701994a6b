/** Clients that mean ill, or are broken: what they take is bounded, what they leave goes away, and others do not notice. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";

import { Broker } from "../browser/lib/broker.mjs";
import { session } from "./lib/echo.mjs";
import { Connection, get, open, post } from "./lib/http.mjs";
import { Socket } from "./lib/websocket.mjs";

const MIB = 1 << 20;
const FORM = { "Content-Type": "application/x-www-form-urlencoded" };
const envelope = (...messages) => JSON.stringify(messages.map((message) => JSON.stringify(message)));

/** Bytes of memory that the server has at work. */
async function memory(broker) {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${broker.pid}/status`, "utf8"));
  return Number(kib) * 1024;
}

/** Does `one(i)` so many times, some at once. */
async function times(count, one, atOnce = 100) {
  let next = 0;
  const worker = async () => {
    for (let i; (i = next++) < count; ) await one(i);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** Opens sessions and leaves them; how many were refused for want of room. */
async function abandon(url, count) {
  let refused = 0;
  await times(count, async () => {
    const answer = await post(`${session(url)}/xhr`);
    if (answer.status === 503) {
      assert.equal(answer.headers["retry-after"], "5");
      refused++;
    } else {
      assert.equal(answer.body, "o\n");
    }
  });
  return refused;
}

/** Until `check` holds. */
async function until(what, check, patience = 10_000) {
  for (const deadline = Date.now() + patience; !(await check()); ) {
    assert.ok(Date.now() < deadline, `${what}: not within ${patience} ms`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** The messages of the next poll; a heartbeat may come before. */
async function polled(url) {
  for (;;) {
    const { body } = await post(`${url}/xhr`);
    if (body !== "h\n") return JSON.parse(/^a(.*)\n$/.exec(body)?.[1] ?? assert.fail(`no messages: ${body}`));
  }
}

async function works(broker) {
  const url = session(`${broker.url}/sockjs`);
  assert.equal((await post(`${url}/xhr`)).body, "o\n");
  assert.equal((await post(`${url}/xhr_send`, envelope({ id: 1, event: "Any:read" }))).status, 204);
  assert.deepEqual((await polled(url)).map((text) => JSON.parse(text).data), [[]]);
}

describe("sessions that are left", () => {
  test("are as many as there may be connections, and make room when they expire", async (t) => {
    const broker = await Broker.start(t, { settings: ["limits.connections=100", "sockjs.disconnect_delay_s=1"] });
    assert.equal(await abandon(`${broker.url}/sockjs`, 150), 50);
    // At most a hundred at once: many more only as those before them go.
    let opened = 100;
    await until("room for many", async () => {
      opened += 100 - (await abandon(`${broker.url}/backsync`, 100));
      return opened > 400;
    });
    await until("everything works again", () => works(broker).then(() => true, () => false));
  });

  test("five thousand of them, three times over, cost memory once", async (t) => {
    const broker = await Broker.start(t, { settings: ["sockjs.disconnect_delay_s=1"] });
    await works(broker);
    const before = await memory(broker);
    const after = [];
    for (let round = 0; round < 3; round++) {
      assert.equal(await abandon(`${broker.url}/sockjs`, 5000), 0);
      after.push((await memory(broker)) - before);
      await works(broker);
    }
    assert.ok(after[0] < 150 * MIB, `${after[0]} bytes for 5000 sessions at the most`);
    assert.ok(after[2] < after[0] * 1.5 + 10 * MIB, `grows: ${after}`);
  });

  test("polls that are cut off free their places", async (t) => {
    const broker = await Broker.start(t, { settings: ["limits.connections=100", "sockjs.disconnect_delay_s=3"] });
    const url = `${broker.url}/sockjs`;
    for (let round = 0; round < 3; round++) {
      const polls = [];
      await times(100, async () => {
        const one = session(url);
        await until("a place", async () => (await post(`${one}/xhr`)).body === "o\n");
        const poll = await Connection.open(one);
        poll.request("POST", `${one}/xhr`).catch(() => {});
        polls.push(poll);
      });
      assert.equal(await abandon(url, 1), 1, "there is no room while they wait");
      for (const poll of polls) poll.abort();
    }
    await until("everything works again", () => works(broker).then(() => true, () => false));
  });

  test("sending to what is not there makes nothing", async (t) => {
    const broker = await Broker.start(t, { settings: ["limits.connections=10"] });
    await times(1000, async () => {
      assert.equal((await post(`${session(`${broker.url}/sockjs`)}/xhr_send`, envelope({ event: "X:read" }))).status, 404);
    }, 20);
    await works(broker);
  });
});

describe("names that meet", () => {
  test("of two prefixes and of WebSockets are sessions of their own", async (t) => {
    const broker = await Broker.start(t);
    const [values, strings] = ["/backsync", "/sockjs"].map((prefix) => session(broker.url + prefix, "same"));
    assert.equal((await post(`${values}/xhr`)).body, "o\n");
    assert.equal((await get(`${strings}/jsonp?c=x`)).body, '/**/x("o");\r\n');
    const socket = await Socket.open(`${values}/websocket`);
    assert.equal(await socket.next(), "o");
    await post(`${values}/xhr_send`, envelope({ id: "v", event: "Any:read" }));
    await post(`${strings}/xhr_send`, envelope({ id: "s", event: "Any:read" }));
    socket.send(envelope({ id: "w", event: "Any:read" }));
    let frame;
    while ((frame = await socket.next()) === "h");
    assert.equal(JSON.parse(frame.slice(1))[0].id, "w");
    assert.deepEqual((await polled(values)).map(({ id }) => id), ["v"]);
    assert.deepEqual((await polled(strings)).map((text) => JSON.parse(text).id), ["s"]);
    socket.close();
  });

  test("a hundred receivers of one session at once: one gets what comes, the others are told to go", async (t) => {
    const broker = await Broker.start(t);
    const url = session(`${broker.url}/sockjs`);
    await post(`${url}/xhr`);
    const polls = Array.from({ length: 100 }, () => post(`${url}/xhr`));
    const refused = async (poll) => assert.match((await poll).body, /^c\[2010,/);
    await Promise.race(polls.map(refused));
    await post(`${url}/xhr_send`, envelope({ id: 1, event: "Any:read" }));
    const others = (await Promise.all(polls)).map(({ body }) => body).filter((body) => !body.startsWith("c[2010,"));
    // A heartbeat that comes just then is the end of a poll, too, and makes room for another.
    const heard = others.filter((body) => body !== "h\n");
    if (heard.length === 0) heard.push(`a${JSON.stringify(await polled(url))}\n`);
    assert.equal(heard.length, 1);
    assert.match(heard[0], /^a\[/);
    assert.ok(others.length < 4, `${others.length} receivers at once`);
  });
});

describe("bodies", { concurrency: true }, () => {
  const SMALL = "limits.message_bytes=1024";

  test("with a message that is too large end the session, as elsewhere", async (t) => {
    const broker = await Broker.start(t, { settings: [SMALL] });
    const url = session(`${broker.url}/sockjs`);
    await post(`${url}/xhr`);
    await post(`${url}/xhr_send`, envelope({ event: "A:upsert", data: { id: "x".repeat(1100) } }));
    await until("the end", async () => /^c\[1009,/.test((await post(`${url}/xhr`)).body));
    assert.deepEqual(await broker.records("A"), []);
  });

  test("that are too large are 413, and go nowhere", async (t) => {
    const broker = await Broker.start(t, { settings: [SMALL] });
    const url = session(`${broker.url}/sockjs`);
    await post(`${url}/xhr`);
    const large = envelope({ event: "A:upsert", data: { id: "a", text: "x".repeat(20_000) } });
    for (const [path, body, headers] of [["xhr_send", large, {}], ["jsonp_send", `d=${encodeURIComponent(large)}`, FORM]]) {
      const answer = await post(`${url}/${path}`, body, headers);
      assert.equal(answer.status, 413);
      assert.match(answer.headers["content-type"], /^text\/plain/);
      assert.match(answer.body, /bytes/);
    }
    assert.equal((await post(`${url}/xhr_send`, envelope({ id: 1, event: "A:read" }))).status, 204, "the session lives");
  });

  test("without an end are cut off", async (t) => {
    const broker = await Broker.start(t, { settings: [SMALL] });
    const url = session(`${broker.url}/sockjs`);
    await post(`${url}/xhr`);
    const before = await memory(broker);
    const connection = await Connection.open(url);
    const headers = { "Transfer-Encoding": "chunked", "Content-Length": undefined };
    const answer = connection.request("POST", `${url}/xhr_send`, { headers });
    answer.catch(() => {});
    const chunk = `4000\r\n${"x".repeat(0x4000)}\r\n`;
    // More than any buffer on the way holds, should the server read on.
    for (let sent = 0; sent < 64 * MIB && !connection.isOver(); sent += chunk.length) {
      connection.send(chunk);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal((await answer).status, 413);
    connection.abort();
    assert.ok((await memory(broker)) - before < 32 * MIB);
    await works(broker);
  });

  test("that do not come are waited for, but not forever, and hold up nobody", async (t) => {
    const broker = await Broker.start(t);
    const url = session(`${broker.url}/sockjs`);
    await post(`${url}/xhr`);
    const slow = await Promise.all(Array.from({ length: 200 }, () => Connection.open(url)));
    const answers = slow.map((connection) =>
      connection.request("POST", `${url}/xhr_send`, { headers: { "Content-Length": 1000 }, patience: 40_000 }));
    for (const connection of slow) connection.send('["');
    for (let i = 0; i < 10; i++) await works(broker);
    for (const answer of await Promise.all(answers.map((answer) => answer.catch(() => ({ status: "closed" }))))) {
      assert.ok([408, "closed"].includes(answer.status), `${answer.status}`);
    }
    await works(broker);
  });
});

test("a receiver that does not read costs what is allowed, and others get everything", async (t) => {
  const settings = ["limits.queue_bytes=65536", "sockjs.response_bytes=1000000000"];
  const broker = await Broker.start(t, { settings });
  const lazy = session(`${broker.url}/sockjs`);
  const stream = await open("POST", `${lazy}/xhr_streaming`);
  await stream.chunk();
  await stream.chunk();
  await post(`${lazy}/xhr_send`, envelope({ event: "Flood:subscribe" }));
  stream.connection.pause();

  const eager = await Socket.open(`${broker.url}/ws`);
  eager.send('{"id":0,"event":"Flood:subscribe"}');
  assert.equal(JSON.parse(await eager.next()).id, 0);
  const before = await memory(broker);
  // Three hundred megabytes, of which it may keep little: memory comes in pieces of 32 MiB, and not all of them go back at once.
  const COUNT = 750;
  const text = "x".repeat(400_000);
  for (let i = 0; i < COUNT; i++) {
    eager.send(JSON.stringify({ event: "Flood:upsert", data: { id: `${i % 10}`, i, text } }));
    assert.equal(JSON.parse(await eager.next()).data.i, i);
  }
  const more = (await memory(broker)) - before;
  assert.ok(more < 112 * MIB, `${more} bytes`);
  stream.connection.abort();
  await until("its end", async () => (await post(`${lazy}/xhr`)).body === 'c[1002,"Connection interrupted"]\n');
  await works(broker);
});
