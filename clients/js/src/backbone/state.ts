/** What is known of each instance beside what Backbone keeps, for as long as it is there. */

import type { Instance, Members, ModelInstance } from "./backbone.js";
import type { Hearing, Rec } from "./hearing.js";
import type { Settings } from "./settings.js";

export class State {
  /** Of the instance itself. */
  settings: Settings = {};
  /** What it listens to, by what words that is known, and what it was to be populated with. */
  heard: { hearing: Hearing; key: string; populate: Settings["populate"] } | undefined;
  /** What the server last said of the record, as far as this model was told. */
  latest: Rec | undefined;
  /** Models and collections at attributes, made for `get(name, true)`, and the values that they were made of. */
  readonly wrapped = new Map<string, { instance: Instance; value: unknown }>();
  /** Attributes that somebody has asked for, whose links others keep. */
  readonly followed = new Set<string>();
  /** What is listened to for such links, and to whom these led. */
  readonly links = new Map<string, { hearing: Hearing; id: string }>();
  /** It was told to hear no more. */
  isDeaf = false;
  /** It was read, and goes on being heard of. */
  isFetched = false;
  /** So many reads are under way, which say themselves what is to be heard, and whether it failed. */
  reading = 0;
  /** Models that a collection is making, by their ids: their pushes come before they are its own, where it waits for the answer. */
  readonly making = new Map<string, ModelInstance>();
  /** It is being made: what is set now is no change of somebody's. */
  isNew = false;
  /** Attributes of which writes are under way, and how many. */
  #writing = new Map<string, number>();

  /** These attributes are written until the function returned is called. */
  begin(names: readonly string[]): () => void {
    for (const name of names) this.#writing.set(name, (this.#writing.get(name) ?? 0) + 1);
    return () => {
      for (const name of names) {
        const left = this.#writing.get(name)! - 1;
        if (left > 0) this.#writing.set(name, left);
        else this.#writing.delete(name);
      }
    };
  }

  /** Without what was written here since: that stays as it is until it is answered. */
  settled(record: Members): Members {
    return this.#writing.size === 0 ? record : Object.fromEntries(Object.entries(record).filter(([name]) => !this.#writing.has(name)));
  }

  isWriting(name: string): boolean {
    return this.#writing.has(name);
  }

  /** The newer one of this record and of what is known. */
  newest(record: Rec): Rec {
    const { latest } = this;
    return latest && (latest._rev ?? 0) > (record._rev ?? 0) ? latest : (this.latest = record);
  }
}

const states = new WeakMap<object, State>();

export function stateOf(instance: Instance | ModelInstance): State {
  let state = states.get(instance);
  if (!state) states.set(instance, (state = new State()));
  return state;
}
