/** The wire, in golden dialogues, through the client's own transports. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Broker } from "../../../tests/browser/lib/broker.mjs";
import { replay, transcripts } from "./lib/transcript.mjs";
import { WAYS } from "./lib/ways.mjs";

const all = transcripts();

test("there are dialogues", () => assert.ok(all.length >= 30, `${all.length}`));

for (const [way, transport] of Object.entries(WAYS)) {
  describe(`over ${way}`, () => {
    const address = (broker) => (query) => ({ http: broker.url, ws: `ws://${broker.address}`, query });
    // A link sends text.
    const dialogues = all.filter(({ steps }) => !steps.some((step) => "sendBinary" in step));

    test("dialogues with a server as it comes", async (t) => {
      const broker = await Broker.start(t, { store: "memory:" });
      for (const transcript of dialogues.filter(({ settings }) => settings.length === 0)) {
        await t.test(transcript.name, () => replay(transcript, transport(), address(broker), { arraysInOneFrame: way === "websocket" }));
      }
    });

    for (const transcript of dialogues.filter(({ settings }) => settings.length > 0)) {
      test(transcript.name, async (t) => {
        const broker = await Broker.start(t, { store: "memory:", settings: transcript.settings });
        await replay(transcript, transport(), address(broker), { arraysInOneFrame: way === "websocket" });
      });
    }
  });
}
