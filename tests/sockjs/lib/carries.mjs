/** What every transport of a SockJS client has to carry, whichever client it is: one suite for Node and for pages. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Broker } from "../../browser/lib/broker.mjs";
import { cleanUp } from "../../browser/lib/cleanup.mjs";

const points = (text) => [...text].map((c) => c.codePointAt(0));
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** Texts as code points, so that nothing between a test and a page can garble them. */
const TEXTS = [
  points("100% %25 %u0041"), points("</script><!-- ]]> &amp;"), [0x2028, 0x2029], range(0, 0x1f), range(0x7f, 0x9f), points("😀👩‍👩‍👧 é\u0301"),
  range(0x200c, 0x200f), range(0x2060, 0x206f), range(0xfff0, 0xffff), points("\"\\/'"), [0xfeff, 0x61], [0x10ffff],
  // Escaped in a record, half a pair stays as it is.
  [0x61, 0xd800, 0x62], [0xdc00],
];

/** The largest message is 1 MiB with its envelope. */
const BIG = 1_040_000;
const BURST = 1000;

/**
 * `open(t, broker, prefix)` opens a [`Talk`] of the transport `name`, or what behaves like one. `settings` are the server's.
 * `prefixes` are tried with everything; the others of `also` only with the short dialogue. `hearsNoEnd`: the client does not see
 * that its response broke off, and learns it when it sends.
 */
export function carries(name, { open, settings = async () => [], prefixes, also = [], hearsNoEnd = false }) {
  const server = async (t, more = []) => Broker.start(t, { settings: [...(await settings(t)), ...more] });
  const opened = async (t, broker, prefix) => {
    const talk = await open(t, broker, prefix);
    cleanUp(t, () => talk.close());
    assert.equal(await talk.opened(), name);
    return talk;
  };

  for (const prefix of [...prefixes, ...also]) {
    test(`${name} at ${prefix}: read, subscribe, upsert, push, delete, refusals`, async (t) => {
      const broker = await server(t);
      const [one, two] = [await opened(t, broker, prefix), await opened(t, broker, prefix)];
      assert.deepEqual((await one.request("Fruit:read")).data, []);
      assert.deepEqual((await two.request("Fruit:subscribe")).data, {});
      const { data, position } = await one.request("Fruit:upsert", { id: "a", name: "apple" });
      assert.deepEqual(data, { id: "a", name: "apple", _rev: 1 });
      for (const talk of [one, two]) {
        assert.deepEqual(await talk.pushed(1), [{ event: "Fruit:upsert", data, position }]);
      }
      await two.request("Fruit:delete", { id: "a" });
      await one.pushed(2);
      await two.pushed(2);
      assert.deepEqual(await one.events(), ["Fruit:upsert a", "Fruit:delete a"]);
      assert.equal((await one.request("Fruit:read", { id: "a" })).error.code, "not_found");
      await one.sendText("no JSON");
      assert.equal((await one.pushed(3))[2].event, "$session:error");
      assert.deepEqual((await two.request("Fruit:read")).data, []);
    });
  }

  for (const prefix of prefixes) {
    describe(`${name} at ${prefix}`, () => {
      test("any text", async (t) => {
        const talk = await opened(t, await server(t), prefix);
        assert.equal(await talk.carryTexts("Text", TEXTS), TEXTS.length);
      });

      test("messages of a mebibyte, up and down", async (t) => {
        const talk = await opened(t, await server(t), prefix);
        assert.deepEqual(await talk.carryBig("Big", BIG), [true, true, true]);
      });

      test("a thousand messages at once, both ways, in order", async (t) => {
        const talk = await opened(t, await server(t), prefix);
        const order = Array.from({ length: BURST }, (_, i) => i);
        assert.deepEqual(await talk.burst("Burst", BURST), { replies: order, pushes: order });
      });

      test("is idle past heartbeats, and longer than a peer may be silent", async (t) => {
        const broker = await server(t, ["heartbeat.interval_s=1", "heartbeat.timeout_s=2"]);
        const talk = await opened(t, broker, prefix);
        await talk.request("Idle:subscribe");
        await talk.heartbeats(4);
        await talk.request("Idle:upsert", { id: "awake" });
        assert.deepEqual(await talk.events(), ["Idle:upsert awake"]);
      });

      test("a server that ends says so", async (t) => {
        const broker = await server(t);
        const talk = await opened(t, broker, prefix);
        await talk.request("Any:read");
        await broker.stop();
        const { code } = await talk.closed();
        assert.equal(code, 1001);
        assert.equal((await talk.pushed(1)).at(-1).data.code, "shutdown");
      });

      test("a server is killed and comes again: nothing is lost by `since`", async (t) => {
        const broker = await server(t);
        const first = await opened(t, broker, prefix);
        await first.request("Kept:read");
        await first.request("Kept:upsert", [{ id: "a" }, { id: "b" }]);
        const { position } = (await first.pushed(2))[1];
        const writer = await opened(t, broker, prefix);
        await writer.request("Kept:upsert", { id: "c" });
        await writer.request("Kept:delete", { id: "a" });
        await broker.killAndRestart();
        if (hearsNoEnd) await first.sendText('{"event":"Kept:unsubscribe"}');
        await first.closed();

        const again = await opened(t, broker, prefix);
        const { data, deleted, reset } = await again.request("Kept:read", { since: position });
        assert.deepEqual([data.map(({ id }) => id), deleted, reset], [["c"], ["a"], undefined]);
        await again.request("Kept:upsert", { id: "d" });
        assert.deepEqual(await again.events(), ["Kept:upsert d"]);
      });
    });
  }
}
