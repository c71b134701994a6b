/** How instances sync: settings of everything, of a class, of an instance, of a request, the later before the earlier. */

import type { Policy, Where } from "../messages.js";

/**
 * By which way requests go, and what is heard:
 *
 * - `ajax`: by the sync function that the class had, `Backbone.sync` mostly
 * - `socket`: by the client; with `ajax` beside it, where there is a connection
 * - `subscribe`: what went by ajax is listened to by the client as soon as there is a connection
 * - `set`: what changed until then, or while a connection was lost, is set on the models
 */
export type Flag = "ajax" | "socket" | "subscribe" | "set";

/** Names as `"spouse friends"`, an array of them, or an object of names with what is to be looked for. */
export type Populate = string | readonly string[] | { readonly [name: string]: boolean | PopulateCriteria };

/** Which of the records at an attribute are to be filled in, for each record by itself. */
export interface PopulateCriteria {
  /** Those that match this filter. */
  readonly where?: Where;
  /** In this order: paths, `-` before one that counts backwards. */
  readonly sort?: string | readonly string[];
  /** So many are left out at the beginning. */
  readonly skip?: number;
  /** No more than so many. */
  readonly limit?: number;
  /** References of those, to be filled in too: names, or paths of them. */
  readonly populate?: string | readonly string[];
}

/**
 * How instances sync: settings of everything (`attach`, `configure`), of a class (`config`), of an instance (its options, `configure`) and
 * of a request (its options), the later before the earlier. `false` takes back what an earlier level says.
 */
export interface Settings {
  /** Flags, as a string with spaces between them or as an array. Default: `"ajax socket subscribe"`. */
  sync?: string | readonly Flag[];
  /** References that answers are to have filled in. */
  populate?: Populate | false;
  /** What a collection reads: records that match this filter of the protocol. */
  where?: Where | false;
  /** In which order it reads: paths, `-` before one that counts backwards. */
  sort?: string | readonly string[] | false;
  /** It leaves so many out at the beginning. */
  skip?: number | false;
  /** It reads no more than so many. */
  limit?: number | false;
  /** It reads the records with these ids. */
  ids?: readonly (string | number)[] | false;
  /** Who wins where others changed a record since it was read. Default: what the server has for the model. */
  policy?: Policy | false;
  /** Changes of the server are applied by themselves. Default: `false`; they are told by events, and that is all. */
  live?: boolean;
  /** Milliseconds that a request by the socket alone waits for a connection. Default: `false`, for ever. */
  timeout?: number | false;
}

const NAMES = ["sync", "populate", "where", "sort", "skip", "limit", "ids", "policy", "live", "timeout"] as const;

const FLAGS: readonly string[] = ["ajax", "socket", "subscribe", "set"];

export const DEFAULTS: Settings = { sync: "ajax socket subscribe", timeout: false };

/** The settings among the members of an object, which may be the options of any call. */
export function settingsIn(level: unknown): Settings {
  const found: { [name: string]: unknown } = {};
  for (const name of NAMES) {
    const value = (level as Settings | null | undefined)?.[name];
    // `sort` is Backbone's too, and `sync: true` means something else.
    const isOther = typeof value === "boolean" && (name === "sync" || (name === "sort" && value));
    if (value !== undefined && !isOther) found[name] = value;
  }
  return found;
}

/** Those that say how requests are made and what becomes of changes, and not what is looked for. */
export function howIn({ sync, policy, live, timeout }: Settings): Settings {
  return settingsIn({ sync, policy, live, timeout });
}

/** @throws TypeError for a flag that there is not, and where no way is left */
export function flagsOf({ sync }: Settings): ReadonlySet<Flag> {
  const words = typeof sync === "string" ? sync.split(/\s+/).filter(Boolean) : (sync ?? []);
  for (const word of words) if (!FLAGS.includes(word)) throw new TypeError(`sync has the flags ${FLAGS.join(", ")}, not ${word}`);
  const flags = new Set(words as readonly Flag[]);
  if (!flags.has("ajax") && !flags.has("socket")) throw new TypeError("sync needs ajax or socket");
  return flags;
}

/** What is looked for, in the protocol's words. */
export interface Wanted {
  readonly where?: Where;
  readonly ids?: readonly (string | number)[];
  readonly sort?: string | readonly string[];
  readonly skip?: number;
  readonly limit?: number;
}

/** Of settings, and of `data` as a request has it, which goes before. */
export function wantedIn(settings: Settings, data: unknown): Wanted {
  const { where, ids, sort, skip, limit } = { ...settings, ...settingsIn(data) };
  return {
    ...(where && { where }),
    ...(ids && { ids }),
    ...(sort && { sort }),
    ...(typeof skip === "number" && { skip }),
    ...(typeof limit === "number" && { limit }),
  };
}

/** References to fill in. */
export interface References {
  /** As they are: names, or paths of them. */
  readonly names: readonly string[];
  /** Those of which some are looked for. */
  readonly criteria: readonly (readonly [name: string, criteria: PopulateCriteria])[];
}

export function populateOf(populate: Populate | false | undefined): References {
  if (!populate) return { names: [], criteria: [] };
  if (typeof populate === "string") return { names: populate.split(/[\s,]+/).filter(Boolean), criteria: [] };
  if (Array.isArray(populate)) return { names: [...(populate as readonly string[])], criteria: [] };
  const entries = Object.entries(populate as { readonly [name: string]: boolean | PopulateCriteria });
  return {
    names: entries.filter(([, value]) => value === true).map(([name]) => name),
    criteria: entries.filter((entry): entry is [string, PopulateCriteria] => typeof entry[1] === "object"),
  };
}
