/** The line to type that sends one's own log here. */

import { LOG, SERVER_LOG } from "./models.js";

const DEFAULT_HOSTS = ["127.0.0.1:9000", "localhost:9000"];

/** Where this page's own server takes WebSockets. */
export function socketUrl(page) {
  return `${page.protocol === "https:" ? "wss" : "ws"}://${page.host}/ws`;
}

/** The command for `model`; the server's own log is not for others to write, so there it is the one for `Log`. */
export function pipeCommand(model, page) {
  const target = model === SERVER_LOG ? LOG : model;
  const isDefault = page.protocol === "http:" && DEFAULT_HOSTS.includes(page.host);
  return `tail -F app.log | backsync pipe ${target}${isDefault ? "" : ` --url ${socketUrl(page)}`}`;
}
