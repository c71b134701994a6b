/** sockjs-client in Node, with every transport that it has there. */

import { describe } from "node:test";
import { createRequire } from "node:module";

import { carries } from "../lib/carries.mjs";
import { Talk } from "../lib/talk.mjs";

const SockJS = createRequire(import.meta.url)("sockjs-client");

describe("sockjs-client in Node", { concurrency: 4 }, () => {
  for (const transport of ["websocket", "xhr-streaming", "eventsource", "xhr-polling"]) {
    carries(transport, {
      open: async (_, broker, prefix) => new Talk(SockJS, broker.url + prefix, transport, prefix === "/sockjs"),
      prefixes: ["/backsync", "/sockjs"],
      // Nor does it in Node of any that the client makes over XHR.
      hearsNoEnd: transport.startsWith("xhr-"),
    });
  }
});
