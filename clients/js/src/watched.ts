/** What every source has: how it stands, and who watches it. */

import type { Change, SourceState } from "./contents.js";
import type { BacksyncError } from "./errors.js";
import type { Stored } from "./messages.js";
import type { Watcher } from "./source.js";

export abstract class Watched<T> {
  /** How it stands. */
  state: SourceState = "loading";
  /** Why it is in state `failed`, or `closed` together with its client. */
  error: BacksyncError | undefined;
  #watchers = new Set<Watcher<T>>();

  /** Somebody watches now. */
  protected abstract begin(): void;
  /** Nobody does any more. */
  protected abstract end(): void;

  /** Hear of changes from now on; it begins with its first watcher, and ends with its last. The function returned ends it. */
  watch(watcher: Watcher<T>): () => void {
    // One function may watch twice.
    const own: Watcher<T> = (changes) => watcher(changes);
    this.#watchers.add(own);
    if (this.#watchers.size === 1) this.begin();
    return () => {
      if (!this.#watchers.delete(own) || this.#watchers.size > 0) return;
      this.state = "closed";
      this.end();
    };
  }

  /** Tell everybody who watches, in one call of each. Also nothing is told: something else may be otherwise, as the position of a listening. */
  protected tell(changes: readonly Change<Stored<T>>[]): void {
    for (const watcher of [...this.#watchers]) watcher(changes);
  }

  /** Stand so from now on, unless it is `closed`. What is to be told of it: nothing where it stood so. */
  protected become(state: SourceState, error?: BacksyncError): Change<Stored<T>>[] {
    if (this.state === "closed") return [];
    this.error = error;
    if (this.state === state) return [];
    this.state = state;
    return [{ type: "state", state, ...(error && { error }) }];
  }
}
