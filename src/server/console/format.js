/** What a record says, read leniently: any member may be missing or of an odd type, and there is always a line to show. */

import { plain } from "./ansi.js";
import { LEVELS, OTHER, levelOf } from "./levels.js";

// Members that the line shows elsewhere, or that only the server needs.
const SHOWN_ELSEWHERE = new Set(["id", "time", "timestamp", "ts", "@timestamp", "level", "severity", "lvl", "message", "msg", "target"]);

const isPlainObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

const present = (value) => value !== undefined && value !== null;

/**
 * The parts of a line: `message` (escapes and newlines still in it), `target` or "", and `fields` as `[key, text]`.
 * A nested `fields` object, as Rust's `tracing` writes it, counts as members of the record.
 */
export function describe(record) {
  const nested = isPlainObject(record.fields) ? record.fields : null;
  const given = record.message ?? record.msg ?? nested?.message;
  const target = present(record.target) ? asText(record.target) : "";
  if (!present(given)) return { message: compact(record), target, fields: [] };
  const fields = [];
  for (const key in record) {
    if (SHOWN_ELSEWHERE.has(key) || key.startsWith("_") || (nested && key === "fields")) continue;
    fields.push([key, fieldText(record[key])]);
  }
  for (const key in nested) if (key !== "message") fields.push([key, fieldText(nested[key])]);
  return { message: asText(given), target, fields };
}

/** All that the text filter looks at, without escapes. */
export function searchText(record) {
  const { message, target, fields } = describe(record);
  let text = target ? `${target} ${plain(message)}` : plain(message);
  for (const [key, value] of fields) text += ` ${key}=${value}`;
  return text;
}

/** The record without the server's own members. */
function compact(record) {
  const { id, _rev, _lastChange, time, level, target, ...rest } = record;
  return Object.keys(rest).length > 0 ? JSON.stringify(rest) : "";
}

const asText = (value) => (typeof value === "string" ? value : JSON.stringify(value));

function fieldText(value) {
  if (typeof value !== "string") return JSON.stringify(value);
  const text = plain(value);
  return text === "" || /[\s"=]/.test(text) ? JSON.stringify(text) : text;
}

/**
 * When it happened, as epoch milliseconds, and whether that is the record's own word. A record that does not say is
 * placed by its id when that is a UUIDv7: the moment the server took it in. `null` when nothing tells.
 */
export function timeOf(record) {
  const given = record.time ?? record.timestamp ?? record.ts ?? record["@timestamp"];
  const own = typeof given === "number" ? fromNumber(given) : typeof given === "string" ? fromString(given) : NaN;
  if (isDate(own)) return { at: own, own: true };
  const arrived = /^([0-9a-f]{8})-([0-9a-f]{4})-7/i.exec(record.id);
  return arrived ? { at: parseInt(arrived[1] + arrived[2], 16), own: false } : null;
}

const isDate = (ms) => Math.abs(ms) <= 8.64e15;

// Loggers write seconds, milliseconds, microseconds or nanoseconds; today's date tells them apart by size.
function fromNumber(n) {
  const size = Math.abs(n);
  return size < 1e11 ? n * 1000 : size < 1e14 ? n : size < 1e17 ? n / 1e3 : n / 1e6;
}

const fromString = (text) => (/^\d{9,19}(\.\d+)?$/.test(text) ? fromNumber(Number(text)) : Date.parse(text));

const pad = (n, width) => String(n).padStart(width, "0");

/** Local HH:MM:SS.mmm */
export function clock(ms) {
  const d = new Date(ms);
  return `${pad(d.getHours(), 2)}:${pad(d.getMinutes(), 2)}:${pad(d.getSeconds(), 2)}.${pad(d.getMilliseconds(), 3)}`;
}

/** Local date and time with the offset from UTC. */
export function fullTime(ms) {
  const d = new Date(ms);
  const offset = -d.getTimezoneOffset();
  const zone = `${offset < 0 ? "−" : "+"}${pad(Math.floor(Math.abs(offset) / 60), 2)}:${pad(Math.abs(offset) % 60, 2)}`;
  return `${d.getFullYear()}-${pad(d.getMonth() + 1, 2)}-${pad(d.getDate(), 2)} ${clock(ms)} ${zone}`;
}

/** One record as one line of text, for the clipboard. */
export function lineText(record) {
  const time = timeOf(record);
  const level = levelOf(record);
  const head = time ? `${new Date(time.at).toISOString()} ` : "";
  const name = level === OTHER ? "" : `${LEVELS[level].toUpperCase().padEnd(5)} `;
  return head + name + searchText(record).replace(/\r?\n/g, "\\n");
}

const grouped = new Intl.NumberFormat("en");

/** 12,345 */
export const count = (n) => grouped.format(n);

/** A number that fits a chip: 999, 1.2k, 34k. */
export function shortCount(n) {
  if (n < 1000) return String(n);
  return n < 9950 ? `${(n / 1000).toFixed(1)}k` : `${Math.round(n / 1000)}k`;
}
