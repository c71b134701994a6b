/** Makes the pages of the reference, as Markdown, of the types and comments in `src`. */

import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Application, Comment, Logger, LogLevel } from "typedoc";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const PACKAGE = fileURLToPath(new URL("..", import.meta.url));

/** Where the pages are kept. */
export const PAGES = join(PACKAGE, "docs/api");

/** What of the package's own types is described where it is used, and has no name to import it by. */
const NOT_EXPORTED = ["Handler", "Target"];

/** Keeps what is wrong, in the place of printing it. */
class Complaints extends Logger {
  found = [];

  log(message, level) {
    // Members of a type that is written within another one are told of there.
    const isWithin = /\.__type\.\S+ \(Property\).* does not have any documentation/.test(message);
    if (level >= LogLevel.Warn && !isWithin) this.found.push(message);
  }
}

/** The sources of all that the package exports. */
async function entryPoints() {
  const { exports } = JSON.parse(await readFile(join(PACKAGE, "package.json"), "utf8"));
  const types = Object.values(exports).flatMap(({ types }) => types ?? []);
  return types.map((path) => join(PACKAGE, path.replace(/^\.\/dist\/(.*)\.d\.ts$/, "src/$1.ts")));
}

/** Write the pages into an empty folder; resolves to what is wrong with the comments. */
export async function generate(folder) {
  const app = await Application.bootstrapWithPlugins({
    entryPoints: await entryPoints(),
    tsconfig: join(HERE, "tsconfig.json"),
    // The build has the compiler look.
    skipErrorChecking: true,
    name: "backsync for JavaScript: all that there is",
    readme: "none",
    excludeInternal: true,
    excludePrivate: true,
    excludeExternals: true,
    disableSources: true,
    sort: ["source-order"],
    sortEntryPoints: false,
    groupOrder: ["Functions", "Classes", "Interfaces", "Type Aliases", "Variables", "Constructors", "Properties", "Accessors", "Methods", "*"],
    validation: { notExported: true, invalidLink: true, invalidPath: true, notDocumented: true },
    requiredToBeDocumented: ["Module", "Variable", "Function", "Class", "Interface", "Constructor", "Property", "Method", "Accessor", "TypeAlias"],
    intentionallyNotExported: NOT_EXPORTED,
    plugin: ["typedoc-plugin-markdown", join(HERE, "theme.mjs")],
    theme: "reference",
    outputs: [{ name: "markdown", path: folder }],
    outputFileStrategy: "modules",
    flattenOutputFiles: true,
    hidePageHeader: true,
    hideBreadcrumbs: true,
    useCodeBlocks: true,
    expandObjects: true,
    expandParameters: true,
    parametersFormat: "none",
    interfacePropertiesFormat: "table",
    typeAliasPropertiesFormat: "table",
    classPropertiesFormat: "table",
    tableColumnSettings: { hideDefaults: true, hideInherited: true, hideOverrides: true },
    logLevel: LogLevel.Warn,
  });
  const complaints = new Complaints();
  app.logger = complaints;
  const project = await app.convert();
  if (!project) return complaints.found;
  app.validate(project);
  await app.generateOutputs(project);
  for (const name of await readdir(folder)) {
    const page = join(folder, name);
    await writeFile(page, tidy(await readFile(page, "utf8")));
  }
  await writeFile(join(folder, "README.md"), contents(project));
  return complaints.found;
}

/** The page that leads to all others. */
function contents({ children }) {
  const modules = children.map(({ name, comment }) => {
    const [summary] = Comment.combineDisplayParts(comment?.summary).split(/(?<=\.)\s/, 1);
    return `- [\`${name}\`](${name.replace("/", ".")}.md): ${summary.replaceAll("\n", " ").replace(/\{@link (\w+)\}/g, "`$1`")}\n`;
  });
  return `# Reference

All that the package exports, by the names to import it from. \`npm run reference\` makes these pages of what \`src\` says;
the [README](../../README.md) shows how it goes together, and the [protocol](../../../../protocol/PROTOCOL.md) has filters, policies and codes of errors.

${modules.join("")}`;
}

/** A page as it is to be read. */
function tidy(page) {
  const text = page
    // Arguments that are taken apart where they come in.
    .replaceAll("__namedParameters", "options")
    .replace(/^#+ Throws\n\n/gm, "Throws ")
    .replace(/^```ts\n[^]*?^```$/gm, indented)
    .replace(/[ \t]+$/gm, "")
    .replace(/\n{3,}/g, "\n\n");
  return withList(text);
}

/** Code of types, indented as deep as it is nested. */
function indented(code) {
  const lines = code.replace(/:\n\s*\| ([^\n{]+)\n\s*\| ([^\n{]+)/g, ": $1 | $2").split("\n").map((line) => line.trim());
  const isUnion = lines.some((line) => line.startsWith("|"));
  let depth = 0;
  return lines
    .map((line) => {
      const own = /^[})\]]/.test(line) ? depth - 1 : depth;
      depth += (line.match(/[{([]/g) ?? []).length - (line.match(/[})\]]/g) ?? []).length;
      const within = isUnion && (own > 0 || /^[}|]/.test(line)) ? (line.startsWith("|") ? 1 : 2) : 0;
      return "  ".repeat(own + within) + line;
    })
    .join("\n");
}

/** With a list of what is on the page. */
function withList(text) {
  const list = [];
  const seen = new Map();
  let isCode = false;
  for (const line of text.split("\n")) {
    if (line.startsWith("```")) isCode = !isCode;
    const [, level, title] = (!isCode && /^(#+) (.*)$/.exec(line)) || [];
    if (!title) continue;
    const anchor = anchorOf(title, seen);
    if (level === "##") list.push({ title, entries: [] });
    else if (level === "###") list.at(-1)?.entries.push(`[${title}](#${anchor})`);
  }
  const lines = list.filter(({ entries }) => entries.length > 0).map(({ title, entries }) => `- ${title}: ${entries.join(", ")}`);
  return text.replace(/^## /m, `${lines.join("\n")}\n\n## `);
}

/** What GitHub calls a heading, of which `seen` has those before. */
export function anchorOf(title, seen) {
  const name = title
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}_ -]/gu, "")
    .replaceAll(" ", "-");
  const times = seen.get(name) ?? 0;
  seen.set(name, times + 1);
  return times === 0 ? name : `${name}-${times}`;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await rm(PAGES, { recursive: true, force: true });
  await mkdir(PAGES, { recursive: true });
  const complaints = await generate(PAGES);
  for (const complaint of complaints) console.error(complaint);
  process.exitCode = complaints.length > 0 ? 1 : 0;
}
