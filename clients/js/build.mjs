/** `dist/`: ES modules with their types, and one file for a script tag (global `backsync`). */

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

await build({
  entryPoints: ["dist/global.js"],
  outfile: "dist/backsync.global.js",
  bundle: true,
  minify: true,
  format: "iife",
  globalName: "backsync",
  target: "es2022",
  legalComments: "none",
});
