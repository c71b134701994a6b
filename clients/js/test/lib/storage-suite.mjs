/**
 * What every storage has to do, in Node and in pages. A case gets `open()`, which opens the same empty place each time, `fill(storage)`
 * where there is a way to leave it little room, and `same(found, wanted)`.
 */
export const STORAGE_SUITE = {
  async "what was written is read, in the order of the keys, by prefix"({ open, same }) {
    const storage = open();
    same(await storage.list("a:"), []);
    same(await storage.write(new Map([["a:2", "two"], ["a:10", "ten"], ["b:1", "other"], ["a:\uffff", "last"], ["a:\u{1f600}", "pair"], ["a", "no"], ["a;", "no"]])), true);
    same(await storage.list("a:"), [["a:10", "ten"], ["a:2", "two"], ["a:\u{1f600}", "pair"], ["a:\uffff", "last"]]);
    same(await storage.list("b:1"), [["b:1", "other"]]);
  },

  async "a write sets and removes in one step"({ open, same }) {
    const storage = open();
    await storage.write(new Map([["k:1", "a"], ["k:2", "b"]]));
    await storage.write(new Map([["k:1", null], ["k:2", "c"], ["k:3", ""], ["k:none", null]]));
    same(await storage.list("k:"), [["k:2", "c"], ["k:3", ""]]);
  },

  async "a condition holds or nothing is done"({ open, same }) {
    const storage = open();
    const write = (text, wanted) => storage.write(new Map([["k:1", text], ["k:2", text]]), { key: "k:1", text: wanted });
    same(await write("a", "something"), false);
    same(await storage.list("k:"), []);
    same(await write("a", undefined), true);
    same(await write("b", undefined), false);
    same(await write("b", "a"), true);
    same(await storage.list("k:"), [["k:1", "b"], ["k:2", "b"]]);
  },

  async "of those who write on one condition at the same time one does"({ open, same }) {
    const storages = [open(), open(), open()];
    const done = await Promise.all(storages.map((storage, at) => storage.write(new Map([["k:1", `${at}`]]), { key: "k:1", text: undefined })));
    same(done.filter(Boolean).length, 1);
  },

  async "what one caller writes is done in its order"({ open, same }) {
    const storage = open();
    await Promise.all(Array.from({ length: 50 }, (_, n) => storage.write(new Map([["k:1", `${n}`]]))));
    same(await storage.list("k:"), [["k:1", "49"]]);
  },

  async "what was written is there when it is opened again"({ open, same, lasts }) {
    const storage = open();
    await storage.write(new Map([["k:1", "grüße \u{1f600} \u0000\ud800"]]));
    await storage.close();
    await storage.close();
    if (lasts) same(await open().list("k:"), [["k:1", "grüße \u{1f600} \u0000\ud800"]]);
  },

  async "where there is no room a write has no effect, and says so"({ open, same, fill }) {
    if (!fill) return;
    // A browser knows how much room there is for a while, so it is little from the beginning.
    await fill();
    const storage = open();
    await storage.write(new Map([["k:1", "before"], ["k:2", "before"]]));
    const error = await storage.write(new Map([["k:1", "after"], ["k:2", null], ["k:big", "x".repeat(2_000_000)]])).then(
      () => undefined,
      (cause) => cause,
    );
    same([error?.name, error?.code], ["StorageError", "full"]);
    same(await storage.list("k:"), [["k:1", "before"], ["k:2", "before"]]);
    same(await storage.write(new Map([["k:1", "again"]])), true);
  },

  async "one that does not work says so"({ broken, same }) {
    if (!broken) return;
    for (const work of [(storage) => storage.list("k:"), (storage) => storage.write(new Map([["k:1", "a"]]))]) {
      const error = await work(broken()).then(
        () => undefined,
        (cause) => cause,
      );
      same([error?.name, error?.code], ["StorageError", "unavailable"]);
    }
  },
};
