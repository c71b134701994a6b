/** The HTTP doors as a browser uses them: Backbone's own sync, EventSource, and the page to try them on. */

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

import { Broker } from "./lib/broker.mjs";
import { openBrowser } from "./lib/browser.mjs";

const require = createRequire(import.meta.url);

/** A page of the server's own origin. */
async function pageOf(t, broker, ...scripts) {
  const browser = await openBrowser(t);
  const page = await browser.newPage();
  page.setDefaultTimeout(60_000);
  await page.goto(`${broker.url}/healthz`);
  for (const script of scripts) await page.addScriptTag({ path: require.resolve(script) });
  return page;
}

const put = (broker, id) =>
  fetch(`${broker.url}/api/Task/${id}`, { method: "PUT", headers: { "content-type": "application/json" }, body: "{}" });

test("Backbone's own untouched sync works", async (t) => {
  const broker = await Broker.start(t);
  const page = await pageOf(t, broker, "jquery", "underscore/underscore-umd.js", "backbone");
  const heard = broker.follow("Task");
  // Who follows hears what comes from then on: it has to be there first.
  await put(broker, "known");
  await heard.next(({ data }) => data.id === "known");
  const seen = await page.evaluate(async () => {
    const { Backbone } = window;
    const Task = Backbone.Model.extend({ urlRoot: "/api/Task" });
    const Tasks = Backbone.Collection.extend({ url: "/api/Task", model: Task });
    const done = (xhr) => new Promise((resolve, reject) => xhr.then(resolve, (refused) => reject(new Error(refused.responseText))));
    const tasks = new Tasks();
    const made = tasks.create({ title: "sweep" }, { wait: true });
    await new Promise((resolve) => made.once("sync", resolve));
    await done(made.save({ done: true }));
    await done(made.save({ list: "home" }, { patch: true }));
    const named = new Task({ id: "a/b c", title: "named" });
    await done(named.save());
    const fetched = new Tasks();
    await done(fetched.fetch());
    const one = new Task({ id: "a/b c" });
    await done(one.fetch());
    await done(made.destroy({ wait: true }));
    const left = new Tasks();
    await done(left.fetch({ data: { where: JSON.stringify({ title: "named" }) } }));
    const missing = await done(new Task({ id: "none" }).fetch()).then(() => null, (error) => JSON.parse(error.message).code);
    return { made: made.toJSON(), fetched: fetched.length, one: one.get("title"), left: left.pluck("id"), missing };
  });
  assert.equal(typeof seen.made.id, "string");
  assert.deepEqual([seen.made.title, seen.made.done, seen.made.list], ["sweep", true, "home"]);
  assert.deepEqual([seen.fetched, seen.one, seen.left, seen.missing], [3, "named", ["a/b c"], "not_found"]);
  const gone = await heard.next(({ event }) => event === "Task:delete");
  assert.equal(gone.data.id, seen.made.id);
});

test("an EventSource misses nothing when the server is killed and comes back", async (t) => {
  const broker = await Broker.start(t);
  const page = await pageOf(t, broker);
  await page.evaluate(() => {
    window.seen = [];
    window.source = new EventSource("/api/Task/events");
    window.source.onmessage = ({ data }) => window.seen.push(JSON.parse(data).data.id);
    return new Promise((resolve) => window.source.addEventListener("open", resolve, { once: true }));
  });
  await put(broker, "one");
  await page.waitForFunction(() => window.seen.includes("one"));
  await broker.killAndRestart();
  await put(broker, "two");
  await page.waitForFunction(() => window.seen.includes("two"));
  await put(broker, "three");
  await page.waitForFunction(() => window.seen.includes("three"));
  assert.deepEqual(await page.evaluate(() => window.seen), ["one", "two", "three"]);
});

test("the page to try it on shows every operation, and tries one", async (t) => {
  const broker = await Broker.start(t);
  const browser = await openBrowser(t);
  const page = await browser.newPage();
  page.setDefaultTimeout(60_000);
  const troubles = [];
  page.on("pageerror", (error) => troubles.push(String(error)));
  page.on("console", (message) => message.type() === "error" && troubles.push(message.text()));
  await page.goto(`${broker.url}/docs/`);
  const described = await (await fetch(`${broker.url}/openapi.json`)).json();
  const operations = Object.values(described.paths).flatMap((path) => Object.keys(path)).length;
  await page.waitForFunction((count) => document.querySelectorAll(".opblock").length === count, operations);
  await page.click("#operations-Records-list .opblock-summary-control");
  await page.click("#operations-Records-list .execute");
  await page.waitForFunction(() => document.querySelector("#operations-Records-list .live-responses-table .response .response-col_status")?.textContent.startsWith("200"));
  assert.deepEqual(troubles, []);
});
