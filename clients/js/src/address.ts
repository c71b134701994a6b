/** Where the server is. */

/** The server's address for each kind of door. Neither ends with a slash. */
export interface Address {
  /** As `https://example.com/base`. */
  readonly http: string;
  /** As `wss://example.com/base`. */
  readonly ws: string;
  /** What stands behind each door's URL, with its `?`, or nothing. */
  readonly query: string;
}

/**
 * Read `http(s)://host[:port][/base]` or `ws(s)://…`, with or without a door (`/ws`) or a slash at its end. A path alone is
 * below the page's own origin.
 *
 * @throws TypeError where it is no such URL
 */
export function parseAddress(text: string | URL): Address {
  const here = (globalThis as { location?: { href: string } }).location?.href;
  const url = new URL(text, here);
  const [scheme, secure] = /^(?:http|ws)(s?):$/.exec(url.protocol) ?? [];
  if (!scheme) throw new TypeError(`${url.protocol}// is no way to a server: http, https, ws and wss are`);
  const rest = `${url.host}${url.pathname}`.replace(/\/+$/, "").replace(/\/ws$/, "");
  return { http: `http${secure}://${rest}`, ws: `ws${secure}://${rest}`, query: url.search };
}
