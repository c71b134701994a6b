/** What the client costs a page. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** The bytes of a module with all that it needs, minified and gzipped. */
async function sizeOf(contents) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: fileURLToPath(new URL("..", import.meta.url)) },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    write: false,
  });
  return gzipSync(outputFiles[0].contents, { level: 9 }).length;
}

test("the core is under 8 KiB", async (t) => {
  const size = await sizeOf('export * from "backsync"');
  t.diagnostic(`${size} bytes`);
  assert.ok(size < 8 * 1024, `${size} bytes`);
});

test("what is not used is not carried", async (t) => {
  const size = await sizeOf('import { Emitter } from "backsync"; console.log(Emitter)');
  t.diagnostic(`${size} bytes`);
  assert.ok(size < 1024, `${size} bytes`);
});
