/** persistence.js as it is on npm, with a mended copy of what does not work in it: each client in a world of its own, with its own clock. */

import { readFile } from "node:fs/promises";
import { createContext, runInContext } from "node:vm";

const FOLDER = new URL("../node_modules/persistencejs/lib/", import.meta.url);

/** What is wrong in 0.3.0, and what takes its place. Each is there just once. */
const MENDED = {
  "persistence.js": [],
  "persistence.store.memory.js": [
    // What was new is so for ever, and counts as edited at every sync.
    ["trackedObjects[id]._dirtyProperties = {};", "trackedObjects[id]._dirtyProperties = {};\n              trackedObjects[id]._new = false;"],
    // What was queried is a copy, and to empty that removes nothing. The SQL stores remove the records, and note them.
    [
      "    var coll = makeLocalClone(this);\n    coll.destroyAll(null, callback);",
      "    var session = this._session;\n    this.list(null, function(items) {\n" +
        "      items.forEach(function(item) { session.remove(item); });\n      callback();\n    });",
    ],
  ],
  "persistence.sync.js": [
    // The result of concat is what is concatenated: without it nothing is ever found to be here already.
    ["existingItems.concat(groupOfExistingItems);", "existingItems = existingItems.concat(groupOfExistingItems);"],
    // There is no `group`, so that no sync comes to its end. What the loop makes is not used.
    [
      "          for(var id=0;id<group.length;id++){\n            idVals.push( persistence.typeMapper.entityIdToDbId(group[id]));\n          }\n",
      "",
    ],
  ],
};

async function sources() {
  const files = Object.entries(MENDED).map(async ([file, mends]) => {
    let text = await readFile(new URL(file, FOLDER), "utf8");
    for (const [wrong, right] of mends) {
      if (text.split(wrong).length !== 2) throw new Error(`${file} is another one: ${wrong}`);
      text = text.replace(wrong, () => right);
    }
    return { file, text };
  });
  return Promise.all(files);
}

/**
 * A client of `url`, whose tasks have a name and may be done. `beforePost` may do something between the two requests of a sync;
 * `requests` has them all.
 */
export async function startClient(url) {
  const client = { requests: [], beforePost: null, now: Date.now() };
  const world = createContext({ console: { log() {} }, setTimeout, setInterval, clearInterval });
  world.window = world;
  world.Date = class extends Date {
    constructor(...given) {
      super(...(given.length ? given : [client.now]));
    }
  };
  let failed = () => {};
  world.XMLHttpRequest = class {
    readyState = 0;

    open(method, address) {
      Object.assign(this, { method, address });
    }

    setRequestHeader() {}

    async send(body) {
      try {
        if (this.method === "POST") await client.beforePost?.();
        const headers = body === undefined ? {} : { "content-type": "application/json" };
        const answer = await fetch(this.address, { method: this.method, headers, body });
        Object.assign(this, { status: answer.status, responseText: await answer.text(), readyState: 4 });
        client.requests.push({ method: this.method, address: this.address, body, status: this.status, answer: this.responseText });
        // It tells nobody of a POST that was refused.
        if (this.status !== 200) failed(Object.assign(new Error(`${this.status} ${this.responseText}`), { status: this.status }));
        this.onreadystatechange();
      } catch (cause) {
        failed(cause);
      }
    }
  };
  for (const { file, text } of await sources()) runInContext(text, world, { filename: file });
  const { persistence } = world;
  persistence.store.memory.config(persistence);
  const Task = persistence.define("Task", { name: "TEXT", done: "BOOL" });
  Task.enableSync(`${url}/sync/Task`);

  const all = async () => Array.from(await new Promise((resolve) => Task.all().list(null, resolve)));
  const find = async (name) => (await all()).find((task) => task.name === name);
  // What is written in the millisecond of a sync, or of the edit before it, is not noticed.
  const flush = () => {
    client.now += 10;
    return new Promise((resolve) => persistence.flush(resolve));
  };
  return Object.assign(client, {
    /** Names of all tasks, with a mark where one is done. */
    tasks: async () => (await all()).map((task) => task.name + (task.done ? " ✓" : "")).sort(),
    async add(...names) {
      for (const name of names) persistence.add(new Task({ name, done: false }));
      await flush();
    },
    async edit(name, changes) {
      Object.assign(await find(name), changes);
      await flush();
    },
    async remove(name) {
      persistence.remove(await find(name));
      await flush();
    },
    id: async (name) => (await find(name)).id,
    /** Sync once. `prefer` is `Local` or `Remote`; without it there may be no conflict. Answers the conflicts' names. */
    async sync(prefer) {
      await flush();
      const conflicts = [];
      await new Promise((resolve, reject) => {
        failed = reject;
        const handler = (found, updates, next) => {
          conflicts.push(...found.map(({ local }) => local.name));
          if (!prefer) return reject(new Error(`a conflict about ${conflicts}`));
          persistence.sync[`prefer${prefer}ConflictHandler`](found, updates, next);
        };
        Task.syncAll(handler, resolve, () => {});
      });
      client.now += 10;
      return conflicts;
    },
    /** Forget what was synced, as who is told that the server no longer knows. */
    async beginAnew() {
      const syncs = await new Promise((resolve) => persistence.sync.Sync.all().list(null, resolve));
      for (const sync of syncs) persistence.remove(sync);
      await flush();
    },
  });
}
