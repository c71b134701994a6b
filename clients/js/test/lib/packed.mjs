/** The package as others get it. */

import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { cleanUp } from "../../../../tests/browser/lib/cleanup.mjs";

const HERE = fileURLToPath(new URL("../..", import.meta.url));
const run = promisify(execFile);

/** A fresh project with what `npm pack` makes, and nothing else: resolves to its `folder`, and the paths of the package's `files`. */
export async function freshProject(t) {
  const folder = await mkdtemp(join(tmpdir(), "backsync-package-"));
  cleanUp(t, () => rm(folder, { recursive: true, force: true }));
  const { stdout } = await run("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", folder], { cwd: HERE });
  const listed = JSON.parse(stdout);
  const [{ filename, files }] = Array.isArray(listed) ? listed : Object.values(listed);
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "fresh", private: true, type: "module" }));
  await run("npm", ["install", "--offline", "--no-audit", "--no-fund", join(folder, filename)], { cwd: folder });
  return { folder, files: files.map(({ path }) => path) };
}
