/** sockjs-client in Node, where each of its requests comes to another node. */

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { describe, test } from "node:test";

import { cleanUp } from "../../browser/lib/cleanup.mjs";
import { startNodes } from "../lib/nodes.mjs";
import { Talk } from "../lib/talk.mjs";

const SockJS = createRequire(import.meta.url)("sockjs-client");

const BIG = 1_040_000;
const BURST = 500;

for (const transport of ["xhr-streaming", "eventsource", "xhr-polling"]) {
  for (const prefix of ["/backsync", "/sockjs"]) {
    describe(`${transport} at ${prefix} over three nodes`, { concurrency: 2 }, () => {
      async function opened(t) {
        const cluster = await startNodes(t, 3);
        const open = async () => {
          const talk = new Talk(SockJS, cluster.url + prefix, transport, prefix === "/sockjs");
          cleanUp(t, () => talk.close());
          assert.equal(await talk.opened(), transport);
          return talk;
        };
        return { cluster, open, talk: await open() };
      }

      test("everything arrives once and in order, both ways", async (t) => {
        const { cluster, talk } = await opened(t);
        const order = Array.from({ length: BURST }, (_, i) => i);
        assert.deepEqual(await talk.burst("Burst", BURST), { replies: order, pushes: order });
        for (let n = 0; n < 20; n++) assert.equal((await talk.request("Burst:read", { id: `n${n}` })).data.n, n);
        assert.ok(cluster.served().every((count) => count > 3), `requests of the nodes: ${cluster.served()}`);
      });

      test("messages of a mebibyte, up and down", async (t) => {
        const { talk } = await opened(t);
        assert.deepEqual(await talk.carryBig("Big", BIG), [true, true, true]);
      });

      test("the node that has the session is killed: it is lost, and the next one lives", async (t) => {
        const { cluster, talk, open } = await opened(t);
        await talk.request("Any:read");
        await (await cluster.owner()).process.kill("SIGKILL");
        // That a response broke off is not seen by every transport in Node; that nobody takes what is sent is.
        talk.sendText('{"event":"Any:unsubscribe"}');
        assert.equal((await talk.closed()).code, 1006);
        const again = await open();
        for (let n = 0; n < 9; n++) assert.equal((await again.request("Any:upsert", { id: `${n}` })).data.id, `${n}`);
      });

      test("a node that ends says so to those whose session it has", async (t) => {
        const { cluster, talk } = await opened(t);
        await talk.request("Any:read");
        (await cluster.owner()).process.kill("SIGINT");
        assert.equal((await talk.closed()).code, 1001);
      });
    });
  }
}
