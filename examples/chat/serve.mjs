/**
 * Serves this example on a loopback address: `node serve.mjs [port]`, 9081 unless told, 0 for any that is free.
 *
 * Only the files named in FILES exist; no path is ever made of what a browser sent.
 */

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";

const HOST = "127.0.0.1";

const TYPES = { html: "text/html", css: "text/css", js: "text/javascript", svg: "image/svg+xml" };

const FILES = {
  "/": "index.html",
  "/style.css": "style.css",
  "/icon.svg": "icon.svg",
  "/app.js": "app.js",
  "/models.js": "models.js",
  "/presence.js": "presence.js",
  "/view.js": "view.js",
  "/vendor/underscore.js": "node_modules/underscore/underscore-umd-min.js",
  "/vendor/backbone.js": "node_modules/backbone/backbone-min.js",
  "/vendor/backsync.js": "../../clients/js/dist/backsync.global.js",
  "/vendor/backsync-backbone.js": "../../clients/js/dist/backsync.backbone.global.js",
};

// The broker is another origin, and which one is said in the page's address: so `connect-src` names schemes.
const POLICY = "default-src 'self'; connect-src 'self' http: https: ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const server = createServer(async (request, response) => {
  const path = request.url.split("?")[0];
  const file = Object.hasOwn(FILES, path) ? FILES[path] : null;
  if (!file || !["GET", "HEAD"].includes(request.method)) return answer(response, 404, "text/plain", "not found\n");
  try {
    const body = await readFile(new URL(file, import.meta.url));
    answer(response, 200, TYPES[file.split(".").pop()], body);
  } catch (cause) {
    console.error(`cannot read ${file} (${cause.code}): is \`npm ci\` done, here and in clients/js?`);
    answer(response, 500, "text/plain", `cannot read ${file}\n`);
  }
});

function answer(response, status, type, body) {
  response.writeHead(status, {
    "content-type": `${type}; charset=utf-8`,
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
  });
  response.end(response.req.method === "HEAD" ? undefined : body);
}

const port = Number(process.argv[2] ?? 9081);
if (!Number.isInteger(port) || port < 0 || port > 65_535) {
  console.error("usage: node serve.mjs [port]");
  process.exit(2);
}
server.on("error", (cause) => {
  console.error(`cannot listen on ${HOST}:${port}: ${cause.message}`);
  process.exit(1);
});
server.listen(port, HOST, () => {
  const origin = `http://${HOST}:${server.address().port}`;
  console.log(`chat:       ${origin}/`);
  console.log(`its broker: backsync serve --set models.User.ephemeral=true --set server.allowed_origins=${origin}`);
});
