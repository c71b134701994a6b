/** The ways to a server, each by itself, as Node has them. */

import { WebSocket } from "ws";
import SockJS from "sockjs-client";

import { http, sockJs, webSocket } from "backsync";

/** A fetch through something that holds streams back until they end, as some proxies do. */
export function bufferingFetch(url, init) {
  if (!url.includes("/xhr_streaming")) return fetch(url, init);
  return new Promise((resolve, reject) => {
    fetch(url, init).then(async (response) => resolve(new Response(await response.text())), reject).catch(reject);
  });
}

export const WAYS = {
  websocket: () => webSocket(WebSocket),
  sockjs: () => sockJs(SockJS),
  "http, streaming": () => http(fetch),
  "http, polling": () => http(bufferingFetch, { streamPatience: 1 }),
};
