/**
 * sockjs-client in Chromium, with every transport that it has there, on pages of the server's own origin and of another one that
 * is listed. (`xdr-streaming` and `xdr-polling` are Internet Explorer's alone.)
 */

import { after, describe } from "node:test";

import { openBrowser } from "../../browser/lib/browser.mjs";
import { carries } from "../lib/carries.mjs";
import { clientPage, IFRAMES, serveOrigin, talkOn } from "../lib/page.mjs";

const file = { after };
const browser = await openBrowser(file);
const elsewhere = await serveOrigin(file);

const BOTH = ["/backsync", "/sockjs"];
const DIRECT = ["websocket", "xhr-streaming", "eventsource", "htmlfile", "xhr-polling", "jsonp-polling"];
const FRAMED = ["iframe-eventsource", "iframe-htmlfile", "iframe-xhr-polling"];

/** In a page a response of this kind that breaks off is not told from one that goes on. */
const hearsNoEnd = (transport) => transport.endsWith("htmlfile");

/** Everything over the transports in `whole`; over the others of `transports` only the short dialogue. */
function pages(transports, whole, prefix, settings, address) {
  for (const transport of transports) {
    carries(transport, {
      open: async (t, broker, prefix) => {
        const page = await clientPage(t, browser, address(broker, prefix));
        return talkOn(page, broker.url + prefix, transport);
      },
      settings: async () => settings,
      prefixes: whole.includes(transport) ? [prefix] : [],
      also: BOTH.filter((other) => other !== prefix || !whole.includes(transport)),
      hearsNoEnd: hearsNoEnd(transport),
    });
  }
}

describe("a page of the server's own origin", { concurrency: 3 }, () => {
  pages([...DIRECT, ...FRAMED], DIRECT, "/backsync", IFRAMES, (broker, prefix) => broker.url + prefix);
});

describe("a page of another origin", { concurrency: 3 }, () => {
  // Without a frame the client has `htmlfile` only for its own origin.
  const transports = [...DIRECT.filter((transport) => transport !== "htmlfile"), ...FRAMED];
  pages(transports, FRAMED, "/sockjs", [...IFRAMES, `server.allowed_origins=${elsewhere}`], () => elsewhere);
});
