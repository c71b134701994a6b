/** The order of records: that of the protocol's `sort`, or one of the application's. */

/** Paths, `-` before one that counts backwards; or a comparison as `Array.prototype.sort` takes it. */
export type Sort<T> = string | readonly string[] | ((a: T, b: T) => number);

export function comparison<T>(sort: Sort<T>): (a: T, b: T) => number {
  if (typeof sort === "function") return sort;
  const keys = (typeof sort === "string" ? [sort] : sort).map((path) => {
    const backwards = path.startsWith("-");
    return { names: path.slice(backwards ? 1 : 0).split("."), sign: backwards ? -1 : 1 };
  });
  return (a, b) => {
    for (const { names, sign } of keys) {
      const order = compare(at(a, names), at(b, names));
      if (order !== 0) return sign * order;
    }
    return 0;
  };
}

/** The value at a path; `undefined` where there is none. Paths do not lead into arrays. */
function at(value: unknown, names: readonly string[]): unknown {
  for (const name of names) {
    if (typeof value !== "object" || value === null || Array.isArray(value) || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

function compare(a: unknown, b: unknown): number {
  const [kind, other] = [rank(a), rank(b)];
  if (kind !== other) return kind - other;
  if (typeof a === "number") return a - (b as number);
  if (typeof a === "string") return compareText(a, b as string);
  return 0;
}

/** Missing, null, false, true, numbers, strings, arrays, objects. */
function rank(value: unknown): number {
  if (value === undefined) return 0;
  if (value === null) return 1;
  if (typeof value === "boolean") return value ? 3 : 2;
  if (typeof value === "number") return 4;
  if (typeof value === "string") return 5;
  return Array.isArray(value) ? 6 : 7;
}

/** By code points. JavaScript compares UTF-16, in which the halves of what is beyond U+FFFF come before U+E000 to U+FFFF. */
function compareText(a: string, b: string): number {
  let at = 0;
  while (at < a.length && a.charCodeAt(at) === b.charCodeAt(at)) at++;
  if (at === a.length || at === b.length) return a.length - b.length;
  const order = (unit: number): number => (unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit);
  return order(a.charCodeAt(at)) - order(b.charCodeAt(at));
}
