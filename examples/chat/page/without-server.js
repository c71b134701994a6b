/** Lets this page be opened without its server, where the browser does that. */

const FILE = /\.(?:js|css|svg)$/;

export async function openWithoutServer() {
  const { serviceWorker } = navigator;
  if (!serviceWorker) return;
  const isFirst = !serviceWorker.controller;
  await serviceWorker.register("worker.js");
  if (!isFirst) return;
  // What came before there was a worker.
  const came = performance.getEntriesByType("resource").map(({ name }) => name);
  const own = came.filter((name) => name.startsWith(location.origin) && FILE.test(name));
  const files = await caches.open("chat");
  await files.addAll([location.pathname, ...new Set(own)]);
}
