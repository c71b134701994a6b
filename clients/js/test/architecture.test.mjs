/** Who may import whom: the core knows nobody, whatever stands on it knows the core. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const SRC = fileURLToPath(new URL("../src", import.meta.url));
const files = readdirSync(SRC, { recursive: true }).filter((name) => name.endsWith(".ts"));

/** What a file imports: files of ours by their paths, packages by their names. */
function importsOf(file) {
  const text = readFileSync(join(SRC, file), "utf8");
  const names = [...text.matchAll(/\bfrom "([^"]+)"|\bimport\("([^"]+)"\)|^import "([^"]+)"/gm)].map((found) => found[1] ?? found[2] ?? found[3]);
  return names.map((name) => (name.startsWith(".") ? posix.join(dirname(file), name).replace(/\.js$/, ".ts") : name));
}

/** The folder that a file belongs to; the core's is "". */
const partOf = (path) => (path.includes("/") ? path.slice(0, path.indexOf("/")) : "");

/** Parts that stand on another one beside the core. */
const STANDS_ON = { alloy: ["backbone"], backbone: ["populate"] };

test("the core imports no adapter, transports only what they stand on, and adapters the core alone", () => {
  assert.ok(files.length > 30);
  // What a script tag brings stands above all, and so does what Titanium gets.
  for (const file of files.filter((name) => !["global.ts", "titanium.ts"].includes(name))) {
    for (const name of importsOf(file)) {
      const place = `${file} imports ${name}`;
      if (!files.includes(name)) {
        // Adapters are for what they adapt to.
        assert.ok(!["", "transports", "offline"].includes(partOf(file)), place);
        continue;
      }
      const [from, to] = [partOf(file), partOf(name)];
      if (from === "") assert.ok(["", "transports"].includes(to), place);
      else if (from === "transports") assert.ok(to === "transports" || ["address.ts", "naming.ts"].includes(name), place);
      else assert.ok([from, "", ...(STANDS_ON[from] ?? [])].includes(to), place);
    }
  }
});

test("a file holds one idea", () => {
  for (const file of files) assert.ok(readFileSync(join(SRC, file), "utf8").split("\n").length <= 400, file);
});
