/** The server's own console, as one meets it. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Broker } from "./lib/broker.mjs";
import { ofLostConnection, openBrowser } from "./lib/browser.mjs";
import { ConsolePage } from "./lib/console.mjs";
import { feed } from "./lib/processes.mjs";

async function consoleOn(t, model, options) {
  const broker = await Broker.start(t, options);
  const browser = await openBrowser(t);
  const page = await ConsolePage.open(browser, broker, model, { viewport: { width: 1280, height: 800 } });
  await page.settled();
  return { broker, console: page, page: page.page };
}

async function pipeAll(broker, lines) {
  const pipe = broker.pipe("Log");
  await feed(pipe, lines.map((line) => `${line}\n`));
  pipe.child.stdin.end();
  assert.equal((await pipe.ended).code, 0, pipe.stderr());
}

test("a first visit shows the server's own log, and the line to type next", async (t) => {
  const { broker, console, page } = await consoleOn(t);
  const { model, total } = await console.state();
  assert.equal(model, "ServerLog");
  assert.ok(total > 0);
  await console.shows("backsync is ready");
  assert.ok((await page.locator(".row:visible").count()) > 0);
  const command = await page.locator("#hint [data-command]").textContent();
  assert.equal(command, `tail -F app.log | backsync pipe Log --url ws://${broker.address}/ws`);
  assert.equal(await page.locator("#light-text").textContent(), "connected");

  await page.click(".tab:text-is('Log')");
  await console.settled();
  assert.equal((await console.state()).model, "Log");
  assert.ok((await page.locator("#empty").textContent()).includes(command));
  // And the command does what it says, in the page that is open.
  await pipeAll(broker, ["ERROR hello from the pipe"]);
  await console.shows("hello from the pipe");
  assert.equal(await page.locator("#empty").isVisible(), false);
  assert.deepEqual(page.troubles, []);
});

const LINES = Array.from({ length: 600 }, (_, n) => `${["INFO", "WARN", "ERROR"][n % 3]} ${n % 50 === 0 ? "payment" : "request"} ${n}`);

test("a filter and the level chips show just what matches", async (t) => {
  const { broker, console, page } = await consoleOn(t, "Log");
  await pipeAll(broker, LINES);
  await console.stateHas({ total: 600, busy: false });

  await page.fill("#filter", "payment");
  await console.stateHas({ shown: 12, busy: false });
  await page.fill("#filter", "/payment (0|50)$/");
  await console.stateHas({ shown: 2, busy: false });
  assert.deepEqual(await console.messages(), ["INFO payment 0", "ERROR payment 50"]);
  await page.fill("#filter", "!payment");
  await console.stateHas({ shown: 588, busy: false });
  await page.fill("#filter", "/payment (/");
  assert.notEqual(await page.locator("#filter-error").textContent(), "");
  await page.fill("#filter", "");
  await console.stateHas({ shown: 600, busy: false });

  const chip = (level) => page.locator(`.chip[data-level=${level}]`);
  assert.equal(await chip("warn").locator("b").textContent(), "200");
  await chip("warn").click();
  await console.stateHas({ shown: 400, busy: false });
  assert.equal(await chip("warn").getAttribute("aria-pressed"), "false");
  await chip("error").click({ modifiers: ["Shift"] });
  await console.stateHas({ shown: 200, busy: false });
  // Lines that come are judged by the same filter.
  await pipeAll(broker, ["INFO not seen", "ERROR seen"]);
  await console.stateHas({ total: 602, shown: 201 });
  await page.fill("#filter", "no line has this");
  await page.locator("#empty button").click();
  await console.stateHas({ shown: 602, busy: false });
  assert.deepEqual(page.troubles, []);
});

test("a paused page stands still, and following goes to the newest line again", async (t) => {
  const { broker, console, page } = await consoleOn(t, "Log");
  await pipeAll(broker, LINES);
  await console.stateHas({ total: 600, busy: false, following: true });
  const bottom = () => page.evaluate(() => {
    const scroller = document.getElementById("scroller");
    return scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
  });
  assert.ok((await bottom()) < 2);

  await page.click("#pause");
  await pipeAll(broker, ["INFO one more"]);
  await console.stateHas({ total: 601, shown: 600, behind: 1, paused: true });
  await page.click("#pause");
  await console.stateHas({ shown: 601, behind: 0, paused: false, busy: false });

  await page.locator("#scroller").hover();
  await page.mouse.wheel(0, -2_000);
  await console.stateHas({ following: false });
  await pipeAll(broker, ["WARN below what is in sight"]);
  await console.stateHas({ shown: 602 });
  assert.ok((await bottom()) > 100);
  await page.click("#jump");
  await console.stateHas({ following: true });
  assert.ok((await bottom()) < 2);
  await page.locator(".row", { hasText: "below what is in sight" }).waitFor();
  assert.deepEqual(page.troubles, []);
});

test("a restarted server is found again, with what came meanwhile", async (t) => {
  const { broker, console, page } = await consoleOn(t, "Log");
  await pipeAll(broker, LINES);
  await console.stateHas({ total: 600, busy: false });
  await broker.killAndRestart();
  await pipeAll(broker, ["INFO after the restart"]);
  await console.stateHas({ connected: true, status: "live", total: 601, shown: 601, busy: false });
  assert.equal((await console.messages()).at(-1), "INFO after the restart");

  await page.click(".tab:text-is('ServerLog')");
  await console.shows("backsync is ready");
  assert.deepEqual(page.troubles.filter((trouble) => !ofLostConnection(trouble)), []);
});

test("a server that comes back with nothing leaves nothing old on the page", async (t) => {
  const { broker, console, page } = await consoleOn(t, "Log", { store: "memory:" });
  await pipeAll(broker, LINES);
  await console.stateHas({ total: 600, busy: false });
  await broker.killAndRestart();
  await console.stateHas({ connected: true, status: "live", total: 0, busy: false });
  await page.locator("#empty", { hasText: "Log is empty" }).waitFor();
  await pipeAll(broker, ["INFO first of a new life"]);
  await console.stateHas({ total: 1, shown: 1, busy: false });
  assert.deepEqual(page.troubles.filter((trouble) => !ofLostConnection(trouble)), []);
});

test("the console keeps to its content security policy, and lines are text to it", async (t) => {
  const { broker, console, page } = await consoleOn(t, "Log");
  const hostile = ["<img src=x onerror=document.title='taken'>", "</script><script>document.title='taken'</script>", "ERROR \u001b[31mred\u001b[0m javascript:alert(1)", "x".repeat(300_000)];
  await pipeAll(broker, hostile);
  await console.stateHas({ total: hostile.length, busy: false });
  for (let n = 0; n < hostile.length; n++) {
    await page.locator(".row:visible").nth(n).click();
    await page.locator("#detail").waitFor();
  }
  await page.click("#theme");
  assert.doesNotMatch(await page.title(), /taken/);
  assert.equal(await page.evaluate(() => document.querySelectorAll("img, main script").length), 0);
  // The policy is there: a script in the page's text would not run, and it would be told.
  const policy = (await page.request.get(broker.url)).headers()["content-security-policy"];
  assert.match(policy, /default-src 'self'/);
  assert.deepEqual(page.troubles, []);
});
