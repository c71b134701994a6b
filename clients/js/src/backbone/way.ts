/** How requests reach the server. */

import type { Policy } from "../messages.js";
import type { Members } from "./backbone.js";
import type { Rec } from "./hearing.js";
import type { Wanted } from "./settings.js";

/** A link from one record to another: the id of the second, at an attribute of the first. */
export interface Link {
  /** Whose association it is, and which. */
  readonly owner: { readonly name: string; readonly id: string; readonly association: string };
  readonly other: { readonly name: string; readonly id: string };
  /** The attribute of the other that names the owner; where there is none the owner names the other, among many. */
  readonly via: string | undefined;
}

export interface Write {
  readonly method: "create" | "update" | "patch";
  readonly name: string;
  readonly record: Members & { readonly id: string };
  readonly policy: Policy | undefined;
}

export interface Way {
  /** @throws where it is not there */
  one(name: string, id: string, populate: readonly string[]): Promise<Rec>;
  many(name: string, wanted: Wanted, populate: readonly string[]): Promise<readonly Rec[]>;
  /** Resolves to the record as it then is; `null` where the edit lost against a deletion. */
  write(write: Write): Promise<Rec | null>;
  delete(name: string, record: Members & { readonly id: string }, policy: Policy | undefined): Promise<void>;
  /** Set a link or take it away; it may be so already. */
  link(link: Link, isSet: boolean): Promise<void>;
}
