/** The real thing: a log of 100,000 lines and more, piped while pages look on. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Broker } from "./lib/broker.mjs";
import { openBrowser } from "./lib/browser.mjs";
import { ConsolePage } from "./lib/console.mjs";
import { ExamplePage, serveExample } from "./lib/example.mjs";
import { assertSame, fingerprint } from "./lib/fingerprint.mjs";
import { assertRecordsOfLines, logLines } from "./lib/log-lines.mjs";
import { feed } from "./lib/processes.mjs";

const LINES = 101_000;
/** What the console keeps. */
const CONSOLE_KEEPS = 100_000;

test("every line of a large log is on every page once and in order", async (t) => {
  const origin = await serveExample(t);
  const broker = await Broker.start(t, { settings: [`server.allowed_origins=${origin}`] });
  const browser = await openBrowser(t);
  const [live, liveConsole] = await Promise.all([
    ExamplePage.open(browser, origin, broker),
    ConsolePage.open(browser, broker, "Log"),
  ]);
  await live.isRead();
  await liveConsole.settled();

  const lines = [...logLines(LINES, 20_120_614)];
  const pipe = broker.pipe("Log");
  const text = lines.map(({ line }) => `${line}\n`);
  const half = text.length / 2;
  await feed(pipe, inChunks(text.slice(0, half)));
  // Lines are on the page while the pipe is still open, so the page is live and did not just read them all at the end.
  await live.has(half);
  const joining = ExamplePage.open(browser, origin, broker);
  await feed(pipe, inChunks(text.slice(half)));
  pipe.child.stdin.end();
  assert.equal((await pipe.ended).code, 0, pipe.stderr());

  const records = await broker.records("Log");
  assertRecordsOfLines(records, lines);

  const expected = fingerprint(records);
  const lastOnes = fingerprint(records.slice(-CONSOLE_KEEPS));
  await live.has(records.length);
  assertSame("the page that was open", await live.fingerprint(), expected);
  await liveConsole.stateHas({ total: CONSOLE_KEEPS, dropped: records.length - CONSOLE_KEEPS, busy: false });
  assertSame("the console that was open", await liveConsole.fingerprint(), lastOnes);

  const joined = await joining;
  await joined.has(records.length);
  assertSame("the page that came in between", await joined.fingerprint(), expected);

  const late = await ExamplePage.open(browser, origin, broker);
  await late.isRead();
  assertSame("the page that came later", await late.fingerprint(), expected);
  const lateConsole = await ConsolePage.open(browser, broker, "Log");
  await lateConsole.settled();
  assertSame("the console that came later", await lateConsole.fingerprint(), lastOnes);

  for (const [name, { page }] of Object.entries({ live, liveConsole, joined, late, lateConsole })) {
    assert.deepEqual(page.troubles, [], name);
    const elements = await page.evaluate(() => document.querySelectorAll("*").length);
    assert.ok(elements < 2_000, `${name} has ${elements} elements`);
  }
});

/** A write for each line would be slow, one for all of them would not be a stream. */
function* inChunks(texts) {
  for (let at = 0; at < texts.length; at += 500) yield texts.slice(at, at + 500).join("");
}
