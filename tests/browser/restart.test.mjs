/** A server that dies in the middle: the pages come back by themselves, and nothing is lost, doubled or out of order. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Broker } from "./lib/broker.mjs";
import { ofLostConnection, openBrowser } from "./lib/browser.mjs";
import { ConsolePage } from "./lib/console.mjs";
import { ExamplePage, serveExample } from "./lib/example.mjs";
import { assertSame, fingerprint } from "./lib/fingerprint.mjs";
import { assertRecordsOfLines, logLines } from "./lib/log-lines.mjs";
import { feed } from "./lib/processes.mjs";

const LINES = 42_000;
const KILLS = 5;

test("pages and pipe survive a server that is killed in the middle", async (t) => {
  const origin = await serveExample(t);
  const broker = await Broker.start(t, { settings: [`server.allowed_origins=${origin}`] });
  const browser = await openBrowser(t);
  const [example, console] = await Promise.all([
    ExamplePage.open(browser, origin, broker),
    ConsolePage.open(browser, broker, "Log"),
  ]);
  await Promise.all([example.isRead(), console.settled()]);

  const lines = [...logLines(LINES, 7)];
  const texts = lines.map(({ line }) => `${line}\n`);
  const pipe = broker.pipe("Log");
  const share = LINES / (KILLS + 1);
  for (let round = 0; round < KILLS; round++) {
    const before = await example.count();
    const feeding = feed(pipe, texts.slice(round * share, (round + 1) * share));
    // Some of these lines are on the page, others on their way or not even sent.
    await example.has(before + 1, { polling: "raf" });
    await broker.killAndRestart();
    await feeding;
  }
  assert.ok((await example.count()) < LINES);
  await feed(pipe, texts.slice(KILLS * share));
  pipe.child.stdin.end();
  assert.equal((await pipe.ended).code, 0, pipe.stderr());

  const records = await broker.records("Log");
  assertRecordsOfLines(records, lines);
  const expected = fingerprint(records);

  await example.phaseIs("connected");
  await example.has(records.length);
  assertSame("the example", await example.fingerprint(), expected);
  await console.stateHas({ connected: true, status: "live", total: records.length, busy: false });
  assertSame("the console", await console.fingerprint(), expected);

  for (const { page } of [example, console]) {
    assert.deepEqual(page.troubles.filter((trouble) => !ofLostConnection(trouble)), []);
  }
});

test("a page drops what a server lost that kept its records in memory", async (t) => {
  const origin = await serveExample(t);
  const broker = await Broker.start(t, { store: "memory:", settings: [`server.allowed_origins=${origin}`] });
  const browser = await openBrowser(t);
  const example = await ExamplePage.open(browser, origin, broker);
  await example.isRead();
  const pipeLine = async (line) => {
    const pipe = broker.pipe("Log");
    pipe.child.stdin.end(`${line}\n`);
    assert.equal((await pipe.ended).code, 0, pipe.stderr());
  };
  await pipeLine("before");
  await example.has(1);
  await broker.killAndRestart();
  await pipeLine("after");
  await example.page.waitForFunction(() => window.logConsole.logs.pluck("message").join() === "after");
});
