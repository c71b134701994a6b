/**
 * Whether a record matches a filter: the protocol's `where`, for records that the server has not seen yet. Numbers are compared as
 * JavaScript has them. The server decides in the end.
 */

import { equal } from "./equal.js";
import { comparison } from "./sort.js";

type Members = { readonly [name: string]: unknown };

/** Whether `record` matches; `false` too where the filter is none. */
export function matches(where: Members, record: Members): boolean {
  return Object.entries(where).every(([name, operand]) => {
    switch (name) {
      case "$and":
        return (operand as Members[]).every((part) => matches(part, record));
      case "$or":
        return (operand as Members[]).some((part) => matches(part, record));
      case "$not":
        return !matches(operand as Members, record);
      default:
        return holds(operand, at(record, name), name === "id");
    }
  });
}

/** Paths do not lead into arrays. A value that is missing is `undefined`, which JSON does not know. */
function at(record: Members, path: string): unknown {
  return path.split(".").reduce<unknown>((value, name) => (isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined), record);
}

function isObject(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function holds(condition: unknown, value: unknown, isId: boolean): boolean {
  const operators = isObject(condition) ? Object.keys(condition) : [];
  if (operators.length === 0 || !operators[0]!.startsWith("$")) return same(condition, value, isId);
  return operators.every((operator) => operate(operator, (condition as Members)[operator], value, isId));
}

/** An id is text, also where a number is asked for. */
function same(wanted: unknown, value: unknown, isId: boolean): boolean {
  return value !== undefined && equal(isId && typeof wanted === "number" ? String(wanted) : wanted, value);
}

function operate(operator: string, operand: unknown, value: unknown, isId: boolean): boolean {
  switch (operator) {
    case "$eq":
      return same(operand, value, isId);
    case "$ne":
      return !same(operand, value, isId);
    case "$in":
      return (operand as unknown[]).some((one) => same(one, value, isId));
    case "$nin":
      return !(operand as unknown[]).some((one) => same(one, value, isId));
    case "$gt":
      return ordered(value, operand, (order) => order > 0);
    case "$gte":
      return ordered(value, operand, (order) => order >= 0);
    case "$lt":
      return ordered(value, operand, (order) => order < 0);
    case "$lte":
      return ordered(value, operand, (order) => order <= 0);
    case "$exists":
      return (value !== undefined) === operand;
    case "$prefix":
      return typeof value === "string" && value.startsWith(operand as string);
    case "$contains":
      if (typeof value === "string") return typeof operand === "string" && value.includes(operand);
      return Array.isArray(value) && value.some((element) => equal(element, operand));
    case "$not":
      return !holds(operand, value, isId);
    default:
      return false;
  }
}

const compare = comparison<{ value: unknown }>("value");

/** Between kinds, and of others than numbers and strings, there is no order. */
function ordered(value: unknown, operand: unknown, fits: (order: number) => boolean): boolean {
  if (typeof value !== typeof operand || (typeof value !== "number" && typeof value !== "string")) return false;
  return fits(compare({ value }, { value: operand }));
}
