/** A page of an origin that is not listed gets nowhere, on no transport, whatever it tries. */

import assert from "node:assert/strict";
import { describe, test, after } from "node:test";

import { Broker } from "../../browser/lib/broker.mjs";
import { openBrowser } from "../../browser/lib/browser.mjs";
import { clientPage, IFRAMES, serveOrigin, withClient } from "../lib/page.mjs";

const TRANSPORTS = [
  "websocket", "xhr-streaming", "eventsource", "iframe-eventsource", "iframe-htmlfile", "xhr-polling", "iframe-xhr-polling",
  "jsonp-polling",
];

const browser = await openBrowser({ after });

/** The server would say no to `/info` already: here somebody who lies says yes in its place, so that the transport is tried. */
async function lieAboutInfo(page) {
  await page.route(/\/info(\?|$)/, (route) =>
    route.fulfill({
      headers: { "Access-Control-Allow-Origin": new URL(page.url()).origin, "Access-Control-Allow-Credentials": "true" },
      contentType: "application/json",
      body: JSON.stringify({ websocket: true, origins: ["*:*"], cookie_needed: false, entropy: 1 }),
    }));
}

/** What becomes of a connection: the transport that opened, or nothing. A frame that is refused says nothing: the client gives up. */
async function outcome(page, url, transport) {
  return page.evaluate(([url, transport]) =>
    new Promise((resolve) => {
      const sock = new window.SockJS(url, null, { transports: [transport], timeout: 4000 });
      sock.onopen = () => {
        resolve(sock.transport);
        sock.close();
      };
      sock.onclose = () => resolve("refused");
    }), [url, transport]);
}

/** The same of several at once. */
async function outcomes(page, url, transports) {
  const all = await Promise.all(transports.map((transport) => outcome(page, url, transport)));
  return Object.fromEntries(transports.map((transport, i) => [transport, all[i]]));
}

const same = (transports, outcome) => Object.fromEntries(transports.map((transport) => [transport, outcome ?? transport]));

describe("a page of an origin that is not listed", { concurrency: 2 }, () => {
  const POLICIES = { "as it is": {}, "that hides its address": { "Referrer-Policy": "no-referrer" } };
  for (const [how, headers] of Object.entries(POLICIES)) {
    test(`${how} opens nothing`, async (t) => {
      const [listed, stranger] = [await serveOrigin(t), await serveOrigin(t, headers)];
      const broker = await Broker.start(t, { settings: [...IFRAMES, `server.allowed_origins=${listed}`] });
      const page = await clientPage(t, browser, stranger);
      assert.equal(await outcome(page, `${broker.url}/sockjs`, "xhr-polling"), "refused", "by /info");
      await lieAboutInfo(page);
      for (const prefix of ["/backsync", "/sockjs"]) {
        assert.deepEqual(await outcomes(page, broker.url + prefix, TRANSPORTS), same(TRANSPORTS, "refused"));
      }
      // The same page opens all of them where it is listed: it is not the trick that fails.
      const welcoming = await Broker.start(t, { settings: [...IFRAMES, `server.allowed_origins=*`] });
      assert.deepEqual(await outcomes(page, `${welcoming.url}/sockjs`, TRANSPORTS), same(TRANSPORTS));
    });
  }

  test("cannot use the frame that a listed page left in the browser's cache", async (t) => {
    const [listed, stranger] = [await serveOrigin(t), await serveOrigin(t)];
    const broker = await Broker.start(t, { settings: [...IFRAMES, `server.allowed_origins=${listed}`] });
    const page = await clientPage(t, browser, listed);
    const url = `${broker.url}/sockjs`;
    assert.equal(await outcome(page, url, "iframe-xhr-polling"), "iframe-xhr-polling");
    await page.goto(stranger);
    await withClient(page);
    await lieAboutInfo(page);
    const framed = TRANSPORTS.filter((transport) => transport.startsWith("iframe-"));
    assert.deepEqual(await outcomes(page, url, framed), same(framed, "refused"));
  });

  test("cannot write into the session of somebody whose name it knows", async (t) => {
    const [listed, stranger] = [await serveOrigin(t), await serveOrigin(t)];
    const broker = await Broker.start(t, { settings: [`server.allowed_origins=${listed}`] });
    const url = `${broker.url}/sockjs/000/known`;
    assert.equal(await (await fetch(`${url}/xhr`, { method: "POST" })).text(), "o\n");
    const page = await clientPage(t, browser, stranger);
    const message = JSON.stringify([JSON.stringify({ event: "Forged:upsert", data: { id: "forged" } })]);
    await page.evaluate(async ([url, message]) => {
      // A request that needs no preflight, and a form: what any page may send.
      await fetch(`${url}/xhr_send`, { method: "POST", mode: "no-cors", body: message });
      await fetch(`${url}/jsonp_send`, {
        method: "POST", mode: "no-cors", body: `d=${encodeURIComponent(message)}`,
        headers: { "Content-Type": "application/x-www-form-urlencoded" },
      });
      await new Promise((resolve) => {
        const frame = document.body.appendChild(Object.assign(document.createElement("iframe"), { name: "frame", onload: resolve }));
        const form = Object.assign(document.createElement("form"), { action: `${url}/jsonp_send`, method: "POST", target: "frame" });
        form.append(Object.assign(document.createElement("input"), { name: "d", value: message }));
        document.body.append(form);
        frame.onload = resolve;
        form.submit();
      });
    }, [url, message]);
    assert.deepEqual(await broker.records("Forged"), []);
  });

  test("cannot make the server's answers a script or a page of its own", async (t) => {
    const stranger = await serveOrigin(t);
    const broker = await Broker.start(t, { settings: IFRAMES });
    const page = await clientPage(t, browser, stranger);
    const loaded = await page.evaluate((url) =>
      new Promise((resolve) => {
        window.leak = () => resolve("called");
        const script = document.createElement("script");
        script.src = `${url}/sockjs/000/x/jsonp?c=leak`;
        script.onload = () => resolve("loaded");
        script.onerror = () => resolve("refused");
        document.head.append(script);
      }), broker.url);
    assert.notEqual(loaded, "called");
  });
});
