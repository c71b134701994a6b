/** Attributes that lead to other records: as ids, as a server has them, or with the records themselves in their places. Pure. */

import { equal } from "./equal.js";

/** Members of a record. */
type Members = { readonly [name: string]: unknown };

/** The id that a value is, or has; `undefined` where there is none. */
export function idIn(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "number") return String(value);
  if (typeof value !== "object" || value === null) return undefined;
  const { id, attributes } = value as { id?: unknown; attributes?: { id?: unknown } };
  return idIn(id ?? attributes?.id);
}

/** The ids at an attribute, which has one, many or none. */
export function idsIn(value: unknown): string[] {
  const elements = Array.isArray(value) ? value : (value as { models?: unknown[] } | null | undefined)?.models;
  return (elements ?? [value]).map(idIn).filter((id) => id !== undefined);
}

/** What attributes have of which values show a part. */
const wholes = new WeakMap<object, unknown>();

/** Of what an attribute has only this is shown: who writes it as it is writes all of it. */
export function partOf<P>(whole: unknown, part: P): P {
  if (typeof part === "object" && part !== null) wholes.set(part, whole);
  return part;
}

/** Whether a value shows just the records of which another one has the ids. */
export function shows(value: unknown, ids: unknown): boolean {
  if (typeof value !== "object" || value === null || [ids].flat().some((id) => typeof id === "object")) return false;
  const wanted = idsIn(ids);
  return wanted.length > 0 && equal(idsIn(wholes.get(value) ?? value), wanted);
}

/** With ids in the places of records. */
export function bare(record: Members, names: Iterable<string>): Members {
  let out: { [name: string]: unknown } | undefined;
  for (const path of names) {
    const name = path.split(".")[0]!;
    const value = record[name];
    if (typeof value !== "object" || value === null) continue;
    (out ??= { ...record })[name] = wholes.has(value) ? wholes.get(value) : bareValue(value);
  }
  return out ?? record;
}

function bareValue(value: object): unknown {
  const elements = Array.isArray(value) ? value : (value as { models?: unknown[] }).models;
  return elements ? elements.map((element) => idIn(element) ?? element) : (idIn(value) ?? value);
}

/** The value of an attribute that has links, with this one or without it; `undefined` where that is so already. */
export function linked(value: unknown, id: string, isSet: boolean, isMany: boolean): unknown {
  const ids = value === undefined || value === null ? [] : idsIn(value);
  const isArray = isMany || Array.isArray(value);
  if (ids.includes(id) === isSet && (isArray || !isSet || ids.length === 1)) return undefined;
  if (isArray) return isSet ? [...ids, id] : ids.filter((known) => known !== id);
  return isSet ? id : null;
}

/** Those who name a record at an attribute, which has one id or many. A text that has the id somewhere within is another's. */
export function whereVia(via: string, id: string): Members {
  return { $or: [{ [via]: id }, { [via]: { $contains: id, $not: { $gte: "" } } }] };
}
