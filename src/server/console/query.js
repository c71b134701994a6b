/**
 * The text filter as typed: a substring in any case, `/a regular expression/flags`, either with a leading `!` for the
 * lines that do not match.
 */

const FLAGS = /^[imsu]*$/;

/**
 * `{pattern, every, negated, error}`: `pattern` is null when everything passes, and stays null when `error` says why;
 * `every` is the same pattern for finding all its places.
 */
export function parseQuery(typed) {
  const nothing = { pattern: null, negated: false, error: null };
  const negated = typed.length > 1 && typed.startsWith("!");
  const text = negated ? typed.slice(1) : typed;
  if (text.trim() === "") return nothing;
  const form = /^\/(.+)\/([a-z]*)$/s.exec(text);
  if (form && FLAGS.test(form[2])) {
    try {
      return finding(form[1], form[2], negated);
    } catch (error) {
      return { ...nothing, error: error.message.replace(/^Invalid regular expression: /, "") };
    }
  }
  return finding(escape(text), "i", negated);
}

function finding(source, flags, negated) {
  return { pattern: new RegExp(source, flags), every: new RegExp(source, `${flags}g`), negated, error: null };
}

const escape = (text) => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");

/** The places in `text` to mark, as `[from, to]`; none for a negated query, whose matches are not on the page. */
export function matchesIn(text, query) {
  if (!query.pattern || query.negated || text === "") return [];
  const found = [];
  for (const match of text.matchAll(query.every)) {
    if (match[0] !== "") found.push([match.index, match.index + match[0].length]);
    if (found.length >= 200) break;
  }
  return found;
}
