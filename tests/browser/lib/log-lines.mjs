/**
 * A log as bad as they come, the same for the same seed: lines of many formats and of none, and for each what the
 * record made of it has to say.
 */

import assert from "node:assert/strict";

/** A small generator of numbers in [0, 1), the same everywhere. */
export function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"];
const WORDS = ["request", "cache", "worker", "timeout", "session", "retry", "user", "shard", "flush", "index", "payload", "queue"];
const SCRIPTS = [
  "🎉🚀 release 👩‍👩‍👧‍👦 🏳️‍🌈", "数据库连接超时 データベース 데이터베이스", "שלום עולם: שגיאה 42", "مرحبا بالعالم (خطأ)", "e\u0301a\u0308n\u0303 Z̷a̷l̷g̷o̷",
  "\u202eevil\u202c text", "ﬁ ﬂ Ⅷ ½ ß İ ı", "\u200b\ufeff zero width", "𝕬𝖘𝖙𝖗𝖆𝖑 \u{10ffff}", "नमस्ते தமிழ் ภาษาไทย",
];
const HOSTILE = [
  "</script><script>document.title='x'</script>", "<img src=x onerror=alert(1)>", "a\u2028b\u2029c", "\u001b[31mred\u001b[0m and \u001b[1;4;38;5;208mmore\u001b[m",
  "\u001b]8;;http://example.com\u0007link\u001b]8;;\u0007", "bell\u0007 back\b\b\b del\u007f nul\u0000 vt\u000b ff\u000c", "tab\tand\rreturn", "{not json", '"quoted" \\back\\ \\u0041 \\n',
  "'; DROP TABLE logs; --", "%s %n %d ${jndi:ldap://x} {{7*7}}", "   leading and trailing   ", "a[{\"id\":1}]", "\u0085next line\u00a0nbsp",
];

/**
 * `count` lines, as `{line, expected}`: the text without its line break, and members its record must have. Every line
 * that is not empty bears its number; records of objects bear it as `n`.
 */
export function* logLines(count, seed) {
  const random = randomNumbers(seed);
  const pick = (list) => list[Math.floor(random() * list.length)];
  const words = () => Array.from({ length: 2 + Math.floor(random() * 9) }, () => pick(WORDS)).join(" ");
  for (let n = 0; n < count; n++) {
    const time = new Date(Date.UTC(2026, 3, 1) + n * 137);
    yield LONG.has(n) ? long(n) : pick(KINDS)({ n, time, level: pick(LEVELS), text: `${words()} #${n}`, pick, random });
  }
}

// A megabyte is more than a record may have; the others go through whole.
const LONG = new Map([[1_000, 1_048_576], [20_000, 300_000], [50_500, 1_000_000], [77_777, 64_000], [99_000, 900_000]]);

function long(n) {
  const beginning = `long #${n} `;
  return plain(beginning + "0123456789abcdeé".repeat(LONG.get(n) / 16).slice(0, LONG.get(n) - beginning.length));
}

/** Nothing in it says what it is: the message is the line, whatever else the record has. */
const plain = (line) => ({ line, expected: { message: line } });

const local = (time) => time.toISOString().slice(0, 23);

const KINDS = [
  ({ text }) => plain(text),
  ({ text }) => plain(text),
  () => plain(""),
  ({ text, pick }) => plain(`${pick(SCRIPTS)} ${text}`),
  ({ text, pick }) => plain(`${pick(HOSTILE)} ${text}`),
  ({ text, pick }) => plain(`${text} ${pick(HOSTILE).trimEnd()}|`),
  ({ text, level, time }) => ({
    line: `${time.toISOString()} ${level.toUpperCase()} ${text}`,
    expected: { time: time.toISOString(), level, message: text },
  }),
  ({ text, level, time }) => ({
    line: `${local(time).replace("T", " ").replace(".", ",")} [${level.toUpperCase()}] ${text}`,
    expected: { time: local(time), level, message: text },
  }),
  ({ text, level, time }) => ({
    line: `time=${time.toISOString()} level=${level} msg="${text}" shard=7`,
    expected: { time: time.toISOString(), level, message: text, shard: "7" },
  }),
  ({ text, time, n }) => ({
    line: `Apr  1 ${time.toISOString().slice(11, 19)} web-1 api[${n}]: ${text}`,
    expected: { host: "web-1", program: "api", pid: String(n), message: text },
  }),
  ({ text, time, n }) => plain(`<165>1 ${time.toISOString()} web-1 api ${n} ID47 [origin ip="192.0.2.1"] ${text}`),
  ({ n, time, level, text, random }) => {
    const object = { n, time: time.toISOString(), level, message: text, ms: Math.round(random() * 1e6) / 1000, nested: { "ключ": [n, null, true] } };
    return { line: JSON.stringify(object), expected: object };
  },
  ({ n, pick }) => {
    const object = { n, msg: pick(HOSTILE), "odd key \u2028": pick(SCRIPTS), "": 0 };
    return { line: JSON.stringify(object), expected: object };
  },
  ({ n, text }) => {
    const object = { id: `line-${n}`, n, message: text };
    return { line: JSON.stringify(object), expected: object };
  },
];

/** That these records are those of these lines, each once and in order, with nothing lost. */
export function assertRecordsOfLines(records, lines) {
  let at = 0;
  for (const [n, { line, expected }] of lines.entries()) {
    let record = records[at++];
    if (record?.part === 1) {
      // A line too long for one record.
      const parts = [record];
      while (parts.at(-1).parts === undefined) parts.push(records[at++]);
      assert.ok(parts.every((one, index) => one.line === record.id && one.part === index + 1));
      record = { message: parts.map((one) => one.message).join("") };
    }
    for (const [name, value] of Object.entries(expected)) {
      assert.deepEqual(record?.[name], value, `${name} of line ${n}: ${line.slice(0, 200)}`);
    }
  }
  assert.equal(records.length, at, "records that no line made");
}
