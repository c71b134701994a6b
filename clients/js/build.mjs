/** `dist/`: ES modules with their types, files for script tags (global `backsync`, and `backsync.backbone` behind it), and one for Titanium's `require`. */

import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const HERE = fileURLToPath(new URL(".", import.meta.url));
process.chdir(HERE);

rmSync("dist", { recursive: true, force: true });
const typescript = dirname(createRequire(import.meta.url).resolve("typescript/package.json"));
execFileSync(process.execPath, [join(typescript, "bin", "tsc"), "--project", "."], { stdio: "inherit" });

for (const [entry, outfile, shape] of [
  ["dist/global.js", "dist/backsync.global.js", { format: "iife", globalName: "backsync" }],
  ["dist/backbone/index.js", "dist/backsync.backbone.global.js", { format: "iife", globalName: "backsync.backbone" }],
  ["dist/titanium.js", "dist/backsync.alloy.js", { format: "cjs", target: "es2020" }],
]) {
  await build({ entryPoints: [entry], outfile, bundle: true, minify: true, target: "es2022", legalComments: "none", ...shape });
}
