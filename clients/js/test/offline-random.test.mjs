/**
 * Programs that come and go, on lines that break at any moment, as a seeded random choice has it; two of them are tabs that share a
 * storage. In the end everybody sees what the server has, and each write was done once.
 *
 * BACKSYNC_SEEDS=100 runs so many; BACKSYNC_SEED=7 that one.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "backsync";
import { memory, openOffline } from "backsync/offline";
import { Broker } from "../../../tests/browser/lib/broker.mjs";
import { Faulty } from "./lib/faulty.mjs";
import { Locks } from "./lib/locks.mjs";
import { sent, until } from "./lib/until.mjs";
import { WAYS } from "./lib/ways.mjs";

const first = Number(process.env.BACKSYNC_SEED ?? 1);
const count = Number(process.env.BACKSYNC_SEEDS ?? (process.env.BACKSYNC_SEED ? 1 : 12));

/** The same numbers for the same seed (mulberry32). */
function randomOf(seed) {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

class Program {
  /** The members that were set, each by one edit. */
  written = [];

  constructor(name, broker, way, sharing, random) {
    Object.assign(this, { name, broker, sharing, random });
    this.line = new Faulty(WAYS[way]());
  }

  async visit() {
    const quick = { reconnect: { first: 2, longest: 20 } };
    this.offline = await openOffline(this.broker.url, { ...this.sharing, transports: [this.line.transport], policy: "client-wins", ...quick });
    this.collection = this.offline.collection("A");
    this.some = this.offline.collection("A", { where: { list: { $ne: "hidden" } } });
  }

  edit() {
    const mark = `${this.name}${this.written.length}`;
    this.written.push(mark);
    return { id: `r${this.random(6)}`, list: this.random(3) ? "shown" : "hidden", [mark]: true };
  }

  async leave() {
    await this.offline.kept();
    this.offline.close();
    // The connection of a named client is gone before the next one writes, or it is not: both are fine.
    await new Promise((resolve) => setImmediate(resolve));
  }

  async step() {
    const { random, line, collection } = this;
    switch (random(12)) {
      case 0:
        return line.cut();
      case 1:
        return line.deafen();
      case 2:
        return line.down();
      case 3:
      case 4:
        return line.up();
      case 5:
        await this.leave();
        return this.visit();
      case 6:
        return new Promise((resolve) => setTimeout(resolve, random(15)));
      default: {
        const edits = Array.from({ length: 1 + random(3) }, () => this.edit());
        collection.upsert(edits.length === 1 ? edits[0] : edits);
        assert.ok(edits.every((edit) => collection.has(edit.id)), "what was written is seen");
      }
    }
  }
}

for (let seed = first; seed < first + count; seed++) {
  test(`seed ${seed}`, async (t) => {
    const broker = await Broker.start(t, { store: "memory:" });
    const random = randomOf(seed);
    const ways = Object.keys(WAYS);
    const alone = { storage: memory(), locks: null };
    const shared = { storage: { ...memory(), name: `random ${seed}` }, locks: new Locks() };
    const programs = [alone, shared, shared].map((sharing, at) => new Program(`p${at}_`, broker, ways[random(ways.length)], sharing, random));
    t.after(() => programs.forEach(({ offline }) => offline.close()));
    for (const program of programs) await program.visit();
    for (let steps = 0; steps < 80; steps++) await programs[random(programs.length)].step();
    for (const { line } of programs) {
      line.up();
      line.cut();
    }
    for (const { offline } of programs) await sent(offline);

    const somebody = connect(broker.url, { transports: [WAYS.websocket()] });
    t.after(() => somebody.close());
    const records = await somebody.read("A");
    const done = new Set(records.flatMap((record) => Object.keys(record)));
    for (const program of programs) {
      const { collection, some, offline } = program;
      const expected = JSON.stringify(sorted(records));
      await until(collection, () => collection.state === "live" && JSON.stringify(sorted(collection.records)) === expected);
      await until(some, () => some.state === "live" && some.size === records.filter(({ list }) => list !== "hidden").length);
      assert.deepEqual(await offline.aside(), []);
    }
    const writes = programs.flatMap(({ written }) => written);
    for (const mark of writes) assert.ok(done.has(mark), `${mark} was lost`);
    // Each edit set a member of its own: a second time would be another revision.
    assert.equal(Math.max(0, ...records.map(({ _rev }) => _rev)), writes.length);
  });
}

function sorted(records) {
  return [...records].sort((a, b) => (a.id < b.id ? -1 : 1)).map((record) => Object.fromEntries(Object.entries(record).sort()));
}
