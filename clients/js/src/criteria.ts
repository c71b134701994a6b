/** Which records of a model somebody wants. */

import type { Json, Where } from "./messages.js";

/** Without any member: all of them. */
export interface Criteria {
  /** Those that match a filter of the protocol. It goes without `ids`. */
  readonly where?: Where;
  /** Those with these ids, whether they are there already or not. It goes without `where`. */
  readonly ids?: readonly (string | number)[];
}

/** The same for all that want the same, in whatever order they put it. */
export function criteriaKey(model: string, { where, ids }: Criteria, json: Json): string {
  const criteria = where ? { where: sorted(where) } : ids ? { ids: [...new Set(ids.map(String))].sort() } : {};
  return `${model}:${json.stringify(criteria)}`;
}

/** With the members of its objects in one order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  // What an application has numbers in stays as it is.
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members.map(([name, member]) => [name, sorted(member)]));
}
