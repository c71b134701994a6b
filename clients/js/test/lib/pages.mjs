/** Pages of the client's own in a real browser, with servers to talk to. */

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

import { Broker } from "../../../../tests/browser/lib/broker.mjs";
import { ofLostConnection, openBrowser, openPage } from "../../../../tests/browser/lib/browser.mjs";
import { cleanUp } from "../../../../tests/browser/lib/cleanup.mjs";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const TYPES = { ".js": "text/javascript", ".mjs": "text/javascript" };
const PAGE = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>backsync</title>
<script type="importmap">{"imports":{"backsync":"/dist/index.js","backsync/offline":"/dist/offline/index.js"}}</script>`;

/** The script tags of a page with Backbone, in their order. */
const BACKBONE = ["node_modules/jquery/dist/jquery.js", "node_modules/underscore/underscore-umd.js", "node_modules/backbone/backbone.js", "dist/backsync.global.js", "dist/backsync.backbone.global.js"];

const PAGES = {
  "/": PAGE,
  "/tag": `${PAGE}<script src="/dist/backsync.global.js"></script>`,
  "/backbone": PAGE + BACKBONE.map((file) => `<script src="/${file}"></script>`).join(""),
};

/**
 * Serves `dist` and what tests have for pages; resolves to its origin. `/` is an empty page, `/tag` one with the script tag, `/backbone` one
 * with Backbone and jQuery too.
 */
async function serve(t) {
  const server = createServer(async (request, response) => {
    const path = new URL(request.url, "http://here").pathname;
    if (PAGES[path]) {
      response.setHeader("content-type", "text/html");
      return response.end(PAGES[path]);
    }
    const type = TYPES[extname(path)];
    const file = type && !path.includes("..") ? await readFile(ROOT + path.slice(1)).catch(() => undefined) : undefined;
    response.statusCode = file ? 200 : 404;
    if (type) response.setHeader("content-type", type);
    response.end(file);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanUp(t, () => new Promise((resolve) => (server.close(resolve), server.closeAllConnections())));
  return `http://127.0.0.1:${server.address().port}`;
}

/** `{broker, browser, origin, open(path, context)}`; pages of one context share their storage. */
export async function pages(t, { settings = [], ...setup } = {}) {
  const origin = await serve(t);
  const broker = await Broker.start(t, { ...setup, settings: [`server.allowed_origins=${origin}`, ...settings] });
  const browser = await openBrowser(t);
  const contexts = new Map();
  const open = async (name = "one", path = "/") => {
    if (!contexts.has(name)) {
      const page = await openPage(browser, origin + path);
      contexts.set(name, page.context());
      return page;
    }
    const page = await contexts.get(name).newPage();
    page.troubles = [];
    page.on("pageerror", (error) => page.troubles.push(`uncaught: ${error.stack ?? error}`));
    await page.goto(origin + path);
    return page;
  };
  return { origin, broker, open };
}

export { ofLostConnection };
