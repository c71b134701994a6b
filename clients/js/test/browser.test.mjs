/** The client in real Chromium: its storages, its tabs, and its ways to a server. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "backsync";
import { ofLostConnection, pages } from "./lib/pages.mjs";
import { WAYS } from "./lib/ways.mjs";

/** Somebody else, in Node. */
function other(t, broker) {
  const client = connect(broker.url, { transports: [WAYS.websocket()] });
  t.after(() => client.close());
  return client;
}

/** Begins `backsync` and a collection of it in a page; `window.shown()` are its records without what is the server's. */
const begin = async ({ url, model = "Task", options = {}, offline }) => {
  const { connect } = await import("backsync");
  const quick = { reconnect: { first: 50, longest: 200 } };
  if (offline) {
    const { openOffline, indexedDb, localStorage } = await import("backsync/offline");
    const storage = offline.storage === "localStorage" ? localStorage("test") : indexedDb("test");
    window.events = [];
    window.offline = await openOffline(url, { storage, ...quick, ...options, ...(offline.policy === "add" && { policy: ({ local, remote }) => (window.events.push("asked"), { n: local.n + remote.n }) }) });
    for (const name of ["refused", "overruled", "trouble"]) window.offline.on(name, () => window.events.push(name));
    window.client = window.offline.client;
    window.collection = window.offline.collection(model);
  } else {
    window.client = connect(url, { ...quick, ...options });
    window.collection = window.client.collection(model);
  }
  window.shown = () => window.collection.records.map(({ _rev, _lastChange, ...own }) => own);
  if (!offline) await window.collection.ready;
};

const shows = (page, wanted) => page.waitForFunction((text) => JSON.stringify(window.shown()) === text, JSON.stringify(wanted), { polling: 20 });

for (const storage of ["indexedDb", "localStorage"]) {
  test(`${storage} does what every storage has to do`, async (t) => {
    const { open } = await pages(t, { store: "memory:" });
    const names = await (await open()).evaluate(async () => Object.keys((await import("/test/lib/storage-suite.mjs")).STORAGE_SUITE));
    for (const name of names) {
      await t.test(name, async () => {
        const page = await open(name);
        const session = await page.context().newCDPSession(page);
        const { origin } = new URL(page.url());
        await page.exposeFunction("leaveRoom", (quotaSize) => session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize }));
        await page.evaluate(
          async ([name, storage]) => {
            const { STORAGE_SUITE } = await import("/test/lib/storage-suite.mjs");
            const offline = await import("backsync/offline");
            const make = offline[storage];
            const same = (found, wanted) => {
              if (JSON.stringify(found) !== JSON.stringify(wanted)) throw new Error(`${JSON.stringify(found)} is not ${JSON.stringify(wanted)}`);
            };
            const refuse = () => {
              throw new DOMException("not here", "SecurityError");
            };
            const fill = {
              indexedDb: () => window.leaveRoom(500_000),
              localStorage: async () => window.localStorage.setItem("filler", "x".repeat(4_000_000)),
            };
            await STORAGE_SUITE[name]({ open: () => make("test"), same, lasts: true, fill: fill[storage], broken: () => make("test", refuse) });
          },
          [name, storage],
        );
      });
    }
  });
}

test("pages reach a server by WebSocket, and where that is cut off by HTTP", async (t) => {
  const { broker, open } = await pages(t, { store: "memory:" });
  const somebody = other(t, broker);
  for (const [name, options] of [["websocket", {}], ["http", { WebSocket: null }]]) {
    const page = await open(name);
    await page.evaluate(begin, { url: broker.url, model: name, options });
    await somebody.upsert(name, { id: "x", n: 1 });
    await shows(page, [{ id: "x", n: 1 }]);
    await page.evaluate(() => window.collection.upsert({ id: "y" }));
    await page.evaluate(() => window.collection.delete("x"));
    await shows(page, [{ id: "y" }]);
    assert.deepEqual(page.troubles, []);
  }
});

test("a script tag brings everything", async (t) => {
  const { broker, open } = await pages(t, { store: "memory:" });
  const page = await open("tag", "/tag");
  const text = await page.evaluate(async (url) => {
    const client = window.backsync.connect(url);
    const { id } = await client.upsert("Task", { title: "sweep" });
    const [record] = await client.read("Task", { ids: [id] });
    client.close();
    const offline = await window.backsync.offline.openOffline(url, { storage: window.backsync.offline.memory() });
    const tasks = offline.collection("Task");
    await tasks.ready;
    offline.close();
    return tasks.get(id).title === record.title && record.title;
  }, broker.url);
  assert.deepEqual([text, page.troubles], ["sweep", []]);
});

test("a worker has it too", async (t) => {
  const { broker, open } = await pages(t, { store: "memory:" });
  const page = await open();
  const answer = await page.evaluate(async (url) => {
    const code = `import { connect } from "${location.origin}/dist/index.js";
      const client = connect("${url}");
      client.upsert("Task", { id: "x", n: 1 }).then((record) => postMessage(record.n));`;
    const worker = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })), { type: "module" });
    return new Promise((resolve) => (worker.onmessage = ({ data }) => resolve(data)));
  }, broker.url);
  assert.equal(answer, 1);
});

test("what was written while the server was dead, and the page closed, is done", async (t) => {
  const { broker, open } = await pages(t);
  const somebody = other(t, broker);
  const page = await open();
  await page.evaluate(begin, { url: broker.url, offline: {} });
  await page.evaluate(() => window.collection.upsert({ id: "a", n: 1 }));
  await broker.stop();
  await page.waitForFunction(() => !window.offline.isOnline);
  await page.evaluate(async () => {
    window.collection.upsert({ id: "b" });
    window.collection.delete("a");
    await window.offline.kept();
  });
  await shows(page, [{ id: "b" }]);
  const again = await open();
  await page.close();
  await again.evaluate(begin, { url: broker.url, offline: {} });
  await shows(again, [{ id: "b" }]);
  await broker.killAndRestart();
  await again.waitForFunction(() => window.offline.pending === 0);
  assert.deepEqual((await somebody.read("Task")).map(({ id }) => id), ["b"]);
  assert.deepEqual(again.troubles.filter((trouble) => !ofLostConnection(trouble)), []);
});

for (const how of ["with Web Locks", "without Web Locks"]) {
  test(`tabs that share a database send each write once, and see those of each other, ${how}`, async (t) => {
    const { broker, open } = await pages(t);
    const somebody = other(t, broker);
    const setup = { url: broker.url, offline: { policy: "add" }, options: how === "with Web Locks" ? {} : { locks: null } };
    const tabs = [await open(), await open(), await open()];
    for (const tab of tabs) await tab.evaluate(begin, setup);
    await tabs[1].evaluate(() => window.collection.upsert({ id: "count", n: 0 }));
    await Promise.all(tabs.map((tab) => shows(tab, [{ id: "count", n: 0 }])));

    await broker.stop();
    await Promise.all(tabs.map((tab) => tab.waitForFunction(() => !window.offline.isOnline)));
    for (const [at, tab] of tabs.entries()) {
      await tab.evaluate((at) => void window.collection.upsert([{ id: `a${at}` }, { id: `b${at}` }]).then(() => window.events.push("done")), at);
      await tab.evaluate(() => window.offline.kept());
    }
    await tabs[2].evaluate(() => void window.collection.upsert({ id: "count", n: 5 }).then((record) => window.events.push(record.n)));
    await tabs[2].evaluate(() => window.offline.kept());
    const seen = [{ id: "count", n: 5 }, ...[0, 1, 2].flatMap((at) => [{ id: `a${at}` }, { id: `b${at}` }])];
    await Promise.all(tabs.map((tab) => shows(tab, seen)));
    // Somebody is there again before the tabs are.
    await tabs[0].context().setOffline(true);
    await broker.killAndRestart();
    await somebody.upsert("Task", { id: "count", n: 2 });
    await tabs[0].context().setOffline(false);
    await Promise.all(tabs.map((tab) => tab.waitForFunction(() => window.offline.pending === 0 && window.offline.isOnline)));
    const records = await somebody.read("Task");
    assert.deepEqual(records.map(({ id, n }) => [id, n]), seen.map(({ id, n }) => [id, n === 5 ? 7 : n]));
    // Revisions: one for each record, one for the other's edit, one for ours.
    assert.equal(Math.max(...records.map(({ _rev }) => _rev)), 9);
    await Promise.all(tabs.map((tab) => tab.waitForFunction(() => window.events.includes("done"))));
    await tabs[2].waitForFunction(() => window.events.includes(7));
    const asked = await Promise.all(tabs.map((tab) => tab.evaluate(() => window.events.filter((event) => event === "asked").length)));
    assert.equal(asked.reduce((sum, count) => sum + count), 1);

    // The tab that leads is the first; another takes over.
    await tabs[0].close();
    await tabs[1].evaluate(() => window.collection.upsert({ id: "later" }));
    await shows(tabs[2], [...seen.map((record) => (record.n === 5 ? { id: "count", n: 7 } : record)), { id: "later" }]);
  });
}
