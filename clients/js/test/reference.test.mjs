/** The reference: everything public is described, its pages say what the sources say, and what they link to is there. */

import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { anchorOf, generate, PAGES } from "../reference/generate.mjs";

const HERE = fileURLToPath(new URL("..", import.meta.url));

test("all that the package exports has a comment, and the pages are up to date", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "backsync-reference-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  assert.deepEqual(await generate(folder), []);
  const names = await readdir(folder);
  assert.ok(names.length > 7);
  assert.deepEqual(await readdir(PAGES), names);
  for (const name of names) {
    const [made, kept] = await Promise.all([folder, PAGES].map((from) => readFile(join(from, name), "utf8")));
    assert.ok(made === kept, `docs/api/${name} is not what the sources say: npm run reference`);
  }
});

/** The links of a text, and what others can link to; code is none of it. */
function readLinks(text) {
  const anchors = new Set([...text.matchAll(/<a id="([^"]+)">/g)].map(([, id]) => id));
  const prose = text.replace(/^```[^]*?^```$/gm, "");
  const seen = new Map();
  for (const [, title] of prose.matchAll(/^#+ (.*)$/gm)) anchors.add(anchorOf(title, seen));
  const links = [...prose.matchAll(/\]\(([^()\s]+)\)/g)].map(([, link]) => link);
  return { anchors, links };
}

test("links in texts lead somewhere", async () => {
  const texts = new Map();
  const read = async (path) => {
    if (!texts.has(path)) texts.set(path, readLinks(await readFile(path, "utf8")));
    return texts.get(path);
  };
  const docs = (await readdir(join(HERE, "docs"), { recursive: true })).filter((name) => name.endsWith(".md"));
  const dead = [];
  let count = 0;
  for (const file of ["README.md", ...docs.map((name) => join("docs", name))]) {
    const path = join(HERE, file);
    for (const link of (await read(path)).links.filter((link) => !/^https?:/.test(link))) {
      count++;
      const [to, anchor] = link.split("#");
      const target = to ? resolve(path, "..", to) : path;
      const isThere = await (anchor ? read(target).then(({ anchors }) => anchors.has(anchor)) : readdir(target).catch(() => readFile(target))).catch(() => false);
      if (!isThere) dead.push(`${file}: ${link}`);
    }
  }
  assert.deepEqual(dead, []);
  assert.ok(count > 300, `${count} links`);
});
