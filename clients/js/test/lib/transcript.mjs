/** Replays a golden dialogue of `protocol/transcripts`; `PROTOCOL.md` describes their format. */

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const FOLDER = fileURLToPath(new URL("../../../../protocol/transcripts/", import.meta.url));

/** All of them, as `{name, settings, steps}`. */
export function transcripts() {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith(".jsonl"))
    .sort()
    .map((name) => {
      const steps = readFileSync(FOLDER + name, "utf8").trim().split("\n").map((line) => JSON.parse(line));
      const settings = steps.flatMap((step) => Object.entries(step.settings ?? {}));
      return { name, settings: settings.map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`), steps };
    });
}

/** What comes over one link, in its order. */
class Peer {
  #link;
  #seen = [];
  #waiting = [];

  static async open(transport, address) {
    const peer = new Peer();
    await new Promise((resolve, reject) => {
      peer.#link = transport.open(address, {
        opened: resolve,
        message: (text) => peer.#see({ message: JSON.parse(text) }),
        heard: () => {},
        closed: (code) => {
          peer.#see({ closed: code });
          reject(new Error(`closed with ${code} before it was open`));
        },
      });
    });
    return peer;
  }

  #see(what) {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(what);
    else this.#seen.push(what);
  }

  next() {
    if (this.#seen.length > 0) return Promise.resolve(this.#seen.shift());
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  send(text) {
    this.#link.send(text);
  }

  leave() {
    this.#link.close();
  }
}

/** Over links of `transport` to a fresh server. `address(query)`: its address with this behind the door. */
export async function replay({ name, steps }, transport, address, { arraysInOneFrame }) {
  const peers = new Map();
  const bound = new Map();
  const peer = async (on, query = "") => {
    if (!peers.has(on)) peers.set(on, await Peer.open(transport, address(query)));
    return peers.get(on);
  };
  for (const [at, step] of steps.entries()) {
    const place = `${name}:${at + 1}`;
    if (step.on === undefined) continue;
    const on = await peer(step.on, step.open);
    if ("send" in step) {
      const filled = fill(step.send, bound);
      if (Array.isArray(filled) && !arraysInOneFrame) for (const message of filled) on.send(JSON.stringify(message));
      else on.send(JSON.stringify(filled));
    } else if ("sendText" in step) on.send(step.sendText);
    else if ("receive" in step) {
      const { message, ...other } = await on.next();
      assert.ok(message, `${place}: ${JSON.stringify(other)} instead of a message`);
      match(step.receive, message, bound, place);
    } else if ("closed" in step) {
      assert.deepEqual(await on.next(), { closed: step.closed }, place);
      peers.delete(step.on);
    } else if ("leave" in step) {
      on.leave();
      peers.delete(step.on);
    } else assert.ok("open" in step, `${place}: not a kind of line`);
  }
  for (const [on, end] of peers) {
    for (const model of models(steps)) {
      const id = JSON.stringify(["the end", model]);
      end.send(JSON.stringify({ id, event: `${model}:read`, data: { ids: ["the end"] }, options: { listen: false } }));
      const { message } = await end.next();
      assert.equal(message?.id, id, `${name}: ${on} also gets ${JSON.stringify(message)}`);
    }
    end.leave();
  }
}

/** The models that good messages name. */
function models(steps) {
  const messages = steps.flatMap((step) => step.send ?? step.receive ?? []);
  const events = messages.map(({ event }) => /^([\w.-]+):/.exec(event)?.[1]);
  return new Set(events.filter((model) => model && model.length <= 128));
}

const wildcard = (text) => typeof text === "string" && /^<(position|id|any)(:.*)?>$/.exec(text);

function fill(value, bound) {
  if (wildcard(value)) return bound.get(value);
  if (Array.isArray(value)) return value.map((element) => fill(element, bound));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, fill(member, bound)]));
}

function match(pattern, value, bound, place) {
  const [found, kind, name] = wildcard(pattern) || [];
  if (found) {
    if (kind !== "any") assert.ok(typeof value === "string" && value !== "", `${place}: ${value} is no ${kind}`);
    if (kind === "position") assert.match(value, /^[0-9a-f]{16}\.\d+$/, place);
    if (name && bound.has(pattern)) assert.equal(value, bound.get(pattern), `${place}: ${pattern}`);
    bound.set(pattern, value);
  } else if (typeof pattern !== "object" || pattern === null) assert.equal(value, pattern, place);
  else {
    assert.equal(Array.isArray(value), Array.isArray(pattern), place);
    assert.deepEqual(Object.keys(value ?? {}).sort(), Object.keys(pattern).sort(), `${place}: ${JSON.stringify(value)}`);
    for (const [member, inner] of Object.entries(pattern)) match(inner, value[member], bound, `${place} ${member}`);
  }
}
