/** How a record reads: texts for a row. Nothing here is HTML; rows take it as text. */

/** A row shows the beginning of a line; the dialog shows all of it. */
const LONGEST = 1_000;

const ANSI = /\x1b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])/g;

const KNOWN = new Map([
  ["trace", "trace"], ["verbose", "trace"], ["debug", "debug"], ["info", "info"], ["notice", "info"],
  ["warn", "warn"], ["warning", "warn"], ["error", "error"], ["err", "error"], ["severe", "error"],
  ["fatal", "fatal"], ["critical", "fatal"], ["crit", "fatal"], ["alert", "fatal"], ["emerg", "fatal"], ["panic", "fatal"],
]);

/** One of trace, debug, info, warn, error, fatal, or an empty text. */
export function levelOf(record) {
  return KNOWN.get(String(record.level ?? record.severity ?? "").toLowerCase()) ?? "";
}

const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23",
});

export function timeOf(record) {
  const given = record.time ?? record.timestamp;
  if (given === undefined || given === null) return "";
  const date = new Date(given);
  return Number.isNaN(date.valueOf()) ? String(given).slice(0, 12) : clock.format(date);
}

/** The message; of a record without one, its members as JSON. */
export function messageOf(record) {
  return typeof record.message === "string" ? oneLine(record.message) : oneLine(JSON.stringify(fieldsOf(record)));
}

/** What a record with a message says besides: `status=200 ms=12`. */
export function restOf(record) {
  if (typeof record.message !== "string") return "";
  const words = Object.entries(fieldsOf(record)).map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  return oneLine(words.join("  "));
}

// Without what the row shows elsewhere, and what only the broker needs.
function fieldsOf({ id, _rev, time, timestamp, level, severity, message, ...fields }) {
  return fields;
}

function oneLine(text) {
  return visible(text.slice(0, LONGEST).replace(ANSI, "")) + (text.length > LONGEST ? "…" : "");
}

// Control characters as the pictures that Unicode has for them; a row is one line.
function visible(text) {
  return text
    .replace(/[\x00-\x08\x0a-\x1f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
    .replace(/\x7f/g, "\u2421")
    .replace(/[\u2028\u2029]/g, "\u2424");
}

const numbers = new Intl.NumberFormat();

export const lines = (n) => `${numbers.format(n)} ${n === 1 ? "line" : "lines"}`;
