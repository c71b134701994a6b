/** sockjs-client on pages of Chromium: of the server's own origin, or of another. */

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { openPage } from "../../browser/lib/browser.mjs";
import { cleanUp } from "../../browser/lib/cleanup.mjs";

/** Where the client's script is, for the server's `sockjs.client_dir`. */
export const CLIENT_DIR = fileURLToPath(new URL("../node_modules/sockjs-client/dist", import.meta.url));

const CLIENT = await readFile(`${CLIENT_DIR}/sockjs.js`, "utf8");
const TALK = await readFile(new URL("talk.mjs", import.meta.url), "utf8");

/** Settings of a server whose page for iframes has its script. */
export const IFRAMES = ["sockjs.client_url=/sockjs/client/sockjs.js", `sockjs.client_dir=${CLIENT_DIR}`];

/** An origin with nothing but an empty page; `headers` go with it. */
export async function serveOrigin(t, headers = {}) {
  const server = createServer((_, response) => {
    response.writeHead(200, { "Content-Type": "text/html; charset=UTF-8", ...headers });
    response.end("<!doctype html><title>page</title><body></body>");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanUp(t, () => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

/** A page at `url` that has the client. */
export async function clientPage(t, browser, url) {
  const page = await openPage(browser, url);
  cleanUp(t, () => page.context().close());
  await withClient(page);
  return page;
}

export async function withClient(page) {
  await page.addScriptTag({ content: CLIENT });
  await page.evaluate(async (source) => {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    window.Talk = (await import(url)).Talk;
  }, TALK);
}

/** A `Talk` on the page. Its methods are called there, and all of them answer with promises. */
export async function talkOn(page, url, transport) {
  const talk = await page.evaluateHandle(
    ([url, transport, strings]) => new window.Talk(window.SockJS, url, transport, strings),
    [url, transport, new URL(url).pathname === "/sockjs"],
  );
  const call = (method) => (...args) => talk.evaluate((talk, [method, args]) => talk[method](...args), [method, args]);
  return new Proxy({}, { get: (_, method) => (method === "then" ? undefined : call(method)) });
}
