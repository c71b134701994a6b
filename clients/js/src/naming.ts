/**
 * Who a client is to the server, and how its requests are called.
 *
 * A server remembers writes by the client's name and the request's id, so an id must not come back under one name: those of a
 * random name count from 1, as nobody else has the name; those of a name that was chosen begin with something random.
 */

/** A random UUID (version 4), also where `crypto.randomUUID` is not, as on pages that came over plain HTTP. */
export function randomName(): string {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** @throws TypeError where the server would not take the name */
export function checkName(name: string): string {
  if (!/^[\x21-\x7e]{1,128}$/.test(name)) throw new TypeError("a client's name is 1 to 128 printable ASCII characters without space");
  return name;
}

/** The ids of one client's requests, none of them twice. */
export function requestIds(chosenName: boolean): () => string | number {
  const prefix = chosenName ? `${randomName()}-` : undefined;
  let last = 0;
  return () => (prefix === undefined ? ++last : `${prefix}${++last}`);
}
