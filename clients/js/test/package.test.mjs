/** What `npm pack` makes is installed in a fresh project, and works there: in Node, bundled, and for the compiler. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";

import { Broker } from "../../../tests/browser/lib/broker.mjs";
import { freshProject } from "./lib/packed.mjs";

const HERE = fileURLToPath(new URL("..", import.meta.url));
const run = promisify(execFile);

test("a fresh project has it", async (t) => {
  const { folder, files } = await freshProject(t);
  const unexpected = files.filter((path) => !/^(dist\/.*\.(js|d\.ts|js\.map)|package\.json|README\.md)$/.test(path));
  assert.deepEqual(unexpected, []);

  await t.test("in Node, without anything else", async (t) => {
    const broker = await Broker.start(t, { store: "memory:" });
    const program = `
      import { connect } from "backsync";
      import { openOffline, memory } from "backsync/offline";
      import { attach } from "backsync/backbone";
      import { memoryConnector } from "backsync/connectors";
      import { alloy } from "backsync/alloy";
      import { populated } from "backsync/populate";
      import { store } from "backsync/store";
      const client = connect(${JSON.stringify(broker.url)});
      await client.upsert("Task", { id: "x", title: "sweep" });
      client.close();
      const offline = await openOffline(${JSON.stringify(broker.url)}, { storage: memory() });
      const tasks = offline.collection("Task");
      await tasks.ready;
      console.log(tasks.get("x").title);
      offline.close();
      if (![attach, memoryConnector, alloy, populated, store].every((one) => typeof one === "function")) throw new Error("not all is there");`;
    await writeFile(join(folder, "program.js"), program);
    const { stdout } = await run(process.execPath, ["program.js"], { cwd: folder, timeout: 20_000 });
    assert.equal(stdout, "sweep\n");
  });

  await t.test("bundled, with what is used and no more", async () => {
    const bundle = async (contents) => {
      const { outputFiles } = await build({ stdin: { contents, resolveDir: folder }, bundle: true, minify: true, write: false, format: "esm" });
      return outputFiles[0].text;
    };
    const core = await bundle('import { connect } from "backsync"; connect("/")');
    assert.ok(!core.includes("indexedDB"));
    assert.ok((await bundle('import { indexedDb } from "backsync/offline"; indexedDb("x")')).includes("indexedDB"));
  });

  await t.test("for the compiler", async () => {
    await copyFile(join(HERE, "test/lib/typed.ts"), join(folder, "typed.ts"));
    const typescript = join(HERE, "node_modules/typescript/bin/tsc");
    for (const resolution of [["--module", "nodenext"], ["--module", "esnext", "--moduleResolution", "bundler"]]) {
      const options = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2023,dom,dom.iterable", "--types", "", ...resolution];
      await run(process.execPath, [typescript, ...options, "typed.ts"], { cwd: folder }).catch(({ stdout }) => assert.fail(stdout));
    }
  });

  const readme = await readFile(join(folder, "node_modules/backsync/README.md"), "utf8");
  assert.match(readme, /npm install backsync/);
});
