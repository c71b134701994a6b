/** A real server on a free port with a data folder of its own, and the command line beside it. */

import { access, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { cleanUp } from "./cleanup.mjs";
import { firstLine, outputOf, start } from "./processes.mjs";

const HERE = fileURLToPath(new URL("..", import.meta.url));
const BINARY = resolve(process.env.BACKSYNC_BIN ?? join(HERE, "../../target/debug/backsync"));

export class Broker {
  /** As `127.0.0.1:40123`. */
  address;
  #t;
  #store;
  #config;
  #settings;
  #process;

  /** `settings`: as `["server.allowed_origins=http://…"]`, over those of the file `config`. The store is SQLite in a folder of its own, unless given. */
  static async start(t, { address = "127.0.0.1:0", store = null, config = null, settings = [] } = {}) {
    await access(BINARY).catch(() => {
      throw new Error(`there is no ${BINARY}: run \`cargo build\`, or name another one in BACKSYNC_BIN`);
    });
    const folder = await mkdtemp(join(tmpdir(), "backsync-browser-"));
    cleanUp(t, () => rm(folder, { recursive: true, force: true }));
    const broker = new Broker(t, address, store ?? `sqlite:${folder}`, config, settings);
    await broker.#run();
    return broker;
  }

  constructor(t, address, store, config, settings) {
    this.#t = t;
    this.address = address;
    this.#store = store;
    this.#config = config;
    this.#settings = settings;
  }

  get url() {
    return `http://${this.address}`;
  }

  get pid() {
    return this.#process.child.pid;
  }

  /** Ends it as a power cut would, and starts it again with the same port and store. */
  async killAndRestart() {
    await this.#process.kill("SIGKILL");
    await this.#run();
  }

  /** Asks it to end, as an operator does; resolves when it has. */
  stop() {
    return this.#process.kill("SIGTERM");
  }

  async #run() {
    const args = ["serve", "--listen", this.address, "--store", this.#store, "--set", "log.format=json"];
    if (this.#config) args.push("--config", this.#config);
    for (const setting of this.#settings) args.push("--set", setting);
    this.#process = start(this.#t, BINARY, args);
    this.address = await firstLine(this.#process, this.#process.child.stderr, readyAddress);
  }

  /** `backsync pipe`, to be fed. */
  pipe(...args) {
    return start(this.#t, BINARY, ["pipe", ...args, "--quiet", "--url", this.address]);
  }

  /** All records of a model as `backsync tail` prints them. */
  async records(model) {
    const args = ["tail", model, "--json", "--lines", "all", "--no-follow", "--url", this.address];
    const output = await outputOf(start(this.#t, BINARY, args));
    return output.split("\n").filter(Boolean).map((line) => JSON.parse(line).data);
  }

  /** `backsync tail --json`, which follows; `next(find)` resolves to the first change for which `find` holds. */
  follow(model) {
    const tail = start(this.#t, BINARY, ["tail", model, "--json", "--lines", "all", "--url", this.address]);
    const changes = [];
    const waiting = new Set();
    const offer = () => {
      for (const one of waiting) {
        const found = changes.find(one.find);
        if (found && waiting.delete(one)) one.resolve(found);
      }
    };
    tail.ended.then(() => {
      for (const one of waiting) one.reject(new Error(`tail ended:\n${tail.stderr()}`));
    });
    firstLine(tail, tail.child.stdout, (line) => {
      changes.push(JSON.parse(line));
      offer();
      return false;
    }).catch(() => {});
    const next = (find) =>
      new Promise((resolve, reject) => {
        waiting.add({ find, resolve, reject });
        offer();
      });
    return { next };
  }
}

function readyAddress(line) {
  try {
    const entry = JSON.parse(line);
    return entry.message === "backsync is ready" ? entry.address : null;
  } catch {
    return null;
  }
}
