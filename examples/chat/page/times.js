/** Times as people say them. Whatever is in a record: what is no time is none. */

const HOUR = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

/** `at`: milliseconds since 1970. */
export const hour = (at) => say(HOUR, at);
export const full = (at) => say(FULL, at);

export function day(at) {
  const said = say(DAY, at);
  if (said === say(DAY, Date.now())) return "Today";
  return said === say(DAY, Date.now() - 86_400_000) ? "Yesterday" : said;
}

/** As `datetime` of an element. */
export function machine(at) {
  const date = new Date(at);
  return isNaN(date) ? "" : date.toISOString();
}

function say(format, at) {
  const date = new Date(at);
  return isNaN(date) ? "" : format.format(date);
}
