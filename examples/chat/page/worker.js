/** The page's own files, for when there is no server to bring them: the newest that came. All else goes as if this were not there. */

const FILES = "chat";
const IS_FILE = /^\/(?:[\w-]+\.(?:js|css|svg))?$/;

addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => {
  const { origin, pathname } = new URL(event.request.url);
  if (event.request.method === "GET" && origin === location.origin && IS_FILE.test(pathname)) event.respondWith(bring(event.request));
});

async function bring(request) {
  const files = await caches.open(FILES);
  try {
    const answer = await fetch(request, { cache: "no-cache" });
    if (answer.ok) await files.put(request, answer.clone());
    return answer;
  } catch (error) {
    const kept = await files.match(request, { ignoreSearch: true });
    if (!kept) throw error;
    return kept;
  }
}
