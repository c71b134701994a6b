/** Collections in what draws pages. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

import { connect } from "backsync";
import { store } from "backsync/store";
import { pages } from "./lib/pages.mjs";
import { Scripted, settled } from "./lib/scripted.mjs";
import { WAYS } from "./lib/ways.mjs";

test("a store has the records, from its first subscriber to its last", async (t) => {
  const server = new Scripted();
  const client = connect("http://server", { transports: [server.transport] });
  t.after(() => client.close());
  await settled();
  const tasks = store(() => client.collection("Task"));
  assert.equal(server.link.sent.length, 0);
  const [one, two] = [[], []];
  const stops = [tasks.subscribe((records) => one.push(records)), tasks.subscribe((records) => two.push(records))];
  server.link.say({ id: server.link.sent[0].id, data: [{ id: "x" }], position: "p" });
  server.link.say({ event: "Task:upsert", data: { id: "y" }, position: "p2" });
  stops[0]();
  stops[0]();
  server.link.say({ event: "Task:delete", data: { id: "x" }, position: "p3" });
  const ids = (values) => values.map((records) => records.map(({ id }) => id).join());
  assert.deepEqual([ids(one), ids(two)], [["", "x", "x,y"], ["", "x", "x,y", "y"]]);
  assert.equal(server.link.sent.length, 1);
  stops[1]();
  assert.deepEqual(server.link.sent.at(-1).event, "Task:unsubscribe");
  tasks.subscribe(() => {})();
  assert.equal(server.link.sent.length, 4, "and again");
});

test("a component in React shows what there is, while it is there", async (t) => {
  const { broker, open } = await pages(t, { store: "memory:" });
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("lib/react-page.mjs", import.meta.url))],
    bundle: true,
    write: false,
    format: "iife",
    define: { "process.env.NODE_ENV": '"development"' },
  });
  const somebody = connect(broker.url, { transports: [WAYS.websocket()] });
  t.after(() => somebody.close());
  await somebody.upsert("Task", [{ id: "x", list: "a", n: 2 }, { id: "y", list: "a", n: 1 }, { id: "z", list: "b", n: 1 }]);

  const page = await open();
  await page.addScriptTag({ content: outputFiles[0].text });
  const shows = (text) => page.waitForFunction((text) => document.body.innerText === text, text, { polling: 20 });
  await page.evaluate((url) => window.begin(url), broker.url);
  await shows("live a: y=1 x=2");
  await somebody.upsert("Task", { id: "y", n: 3 });
  await shows("live a: x=2 y=3");
  await somebody.upsert("User", { id: "ada", name: "Ada" });
  await somebody.upsert("Task", { id: "x", owner: "ada" });
  await shows("live a: x=2Ada y=3");
  await somebody.upsert("User", { id: "ada", name: "Eve" });
  await shows("live a: x=2Eve y=3");
  await somebody.upsert("Task", { id: "x", owner: null });
  await page.evaluate(() => window.collection.upsert({ id: "z", list: "a" }));
  await shows("live a: z=1 x=2 y=3");
  await page.evaluate(() => window.setList("b"));
  await shows("live b:");
  const mixed = await page.evaluate(() => window.renders.filter((text) => text.startsWith("b") && text.includes("@a")));
  assert.deepEqual(mixed, []);
  await page.evaluate(() => window.setList("a"));
  await shows("live a: z=1 x=2 y=3");
  await page.evaluate(() => window.collection.close());
  await shows("closed a: z=1 x=2 y=3");
  await page.evaluate(() => window.setList("b"));
  await shows("live b:");
  await page.evaluate(() => window.client.close());
  await shows("closed b:");
  await page.evaluate(() => window.setShown(false));
  await shows("");
  assert.equal(await page.evaluate(() => window.collection.state), "closed");
  assert.deepEqual(page.troubles, []);
});
