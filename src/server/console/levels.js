/** The levels a record can have, least severe first; the last one is for records that name none we know. */
export const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "other"];

export const WARN = 3;
export const ERROR = 4;
export const OTHER = 6;

const byName = new Map(LEVELS.map((name, level) => [name, level]));
for (const [alias, name] of [
  ["verbose", "trace"], ["notice", "info"], ["information", "info"], ["warning", "warn"], ["err", "error"],
  ["severe", "error"], ["crit", "fatal"], ["critical", "fatal"], ["alert", "fatal"], ["emerg", "fatal"],
  ["panic", "fatal"], ["t", "trace"], ["d", "debug"], ["i", "info"], ["w", "warn"], ["e", "error"], ["f", "fatal"],
]) byName.set(alias, byName.get(name));

/** The level of a record as an index into LEVELS. Numbers are read as pino and bunyan write them: 10 to 60. */
export function levelOf(record) {
  const given = record.level ?? record.severity ?? record.lvl;
  if (typeof given === "string") {
    return byName.get(given) ?? byName.get(given.trim().toLowerCase()) ?? OTHER;
  }
  if (typeof given === "number" && given >= 10 && given <= 69) return Math.floor(given / 10) - 1;
  return OTHER;
}

/** Which levels are let through: one bit each. */
export const ALL_LEVELS = (1 << LEVELS.length) - 1;

export const hasLevel = (mask, level) => (mask & (1 << level)) !== 0;

export const toggleLevel = (mask, level) => mask ^ (1 << level);

/** Only that level, or all of them again when it was alone already. */
export const soloLevel = (mask, level) => (mask === 1 << level ? ALL_LEVELS : 1 << level);
