/** The package in Vite: bundled with what is used and no more, and served as it stands, in Chromium against a real server. */

import assert from "node:assert/strict";
import { copyFile, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build, createServer, preview } from "vite";

import { connect } from "backsync";
import { Broker } from "../../../tests/browser/lib/broker.mjs";
import { openBrowser, openPage } from "../../../tests/browser/lib/browser.mjs";
import { cleanUp } from "../../../tests/browser/lib/cleanup.mjs";
import { freshProject } from "./lib/packed.mjs";
import { WAYS } from "./lib/ways.mjs";

const HERE = fileURLToPath(new URL("..", import.meta.url));
const QUIET = { configFile: false, logLevel: "warn", clearScreen: false };

/** What the page's own dependencies are: they are the application's, as the package brings none. */
const OTHERS = ["backbone", "react", "react-dom"];

const page = (script) => `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>backsync</title>
<body><script type="module">${script}</script>`;

/** A project with the package as it is published: `core.html` has `connect` alone, `index.html` the adapters too. */
async function project(t) {
  const { folder } = await freshProject(t);
  for (const name of OTHERS) await symlink(join(HERE, "node_modules", name), join(folder, "node_modules", name));
  await writeFile(join(folder, "core.html"), page('import { connect } from "backsync"; connect("/");'));
  await writeFile(join(folder, "index.html"), page('import "/main.jsx";'));
  await copyFile(join(HERE, "test/lib/vite-page.jsx"), join(folder, "main.jsx"));
  return folder;
}

/** Builds a page of the project into `dist`; resolves to all of its code. */
async function built(folder, input) {
  process.env.NODE_ENV = "production";
  const { output } = await build({ ...QUIET, root: folder, build: { modulePreload: false, emptyOutDir: false, rolldownOptions: { input: join(folder, input) } } });
  return output.map(({ code = "" }) => code).join("");
}

test("a project in Vite", async (t) => {
  const folder = await project(t);

  await t.test("a page has what it uses, and no more", async (t) => {
    const core = await built(folder, "core.html");
    const size = gzipSync(core, { level: 9 }).length;
    t.diagnostic(`${size} bytes`);
    assert.ok(size > 4 * 1024 && size < 8 * 1024, `${size} bytes`);
    const whole = await built(folder, "index.html");
    for (const [trace, isThere] of [["$session:open", [true, true]], ["syncBind", [false, true]], ["useSyncExternalStore", [false, true]], ["indexedDB", [false, false]]])
      assert.deepEqual([core, whole].map((code) => code.includes(trace)), isThere, trace);
  });

  await t.test("built, and served for development, it runs", async (t) => {
    process.env.NODE_ENV = "development";
    const served = await createServer({ ...QUIET, root: folder, server: { host: "127.0.0.1", port: 0 } });
    cleanUp(t, () => served.close());
    await served.listen();
    const shown = await preview({ ...QUIET, root: folder, preview: { host: "127.0.0.1", port: 0 } });
    cleanUp(t, () => shown.close());
    const origins = [shown, served].map(({ httpServer }) => `http://127.0.0.1:${httpServer.address().port}`);
    const broker = await Broker.start(t, { store: "memory:", settings: [`server.allowed_origins=${origins.join()}`] });
    const somebody = connect(broker.url, { transports: [WAYS.websocket()] });
    cleanUp(t, () => somebody.close());
    const browser = await openBrowser(t);
    const wasBundledBefore = [];
    for (const [at, origin] of origins.entries()) {
      const model = `Task${at}`;
      await somebody.upsert(model, { id: "a", title: "sweep" });
      const page = await openPage(browser, `${origin}/?${new URLSearchParams({ server: broker.url, model })}`);
      const shows = (text) => page.waitForFunction((text) => document.body.innerText === text, text, { polling: 20 });
      await shows("live: sweep / sweep");
      await somebody.upsert(model, { id: "b", title: "rest" });
      await shows("live: sweep, rest / sweep, rest");
      await page.evaluate(() => void window.tasks.get("a").save({ title: "clean" }));
      await shows("live: clean, rest / clean, rest");
      assert.deepEqual(page.troubles, []);
      const loaded = await page.evaluate(() => performance.getEntriesByType("resource").map(({ name }) => new URL(name).pathname));
      wasBundledBefore.push(["backsync.js", "backsync_backbone.js", "backsync_react.js"].every((name) => loaded.includes(`/node_modules/.vite/deps/${name}`)));
    }
    assert.deepEqual(wasBundledBefore, [false, true]);
  });
});
