/** What every source has: how it stands, and who watches it. */

import type { Change, SourceState } from "./contents.js";
import type { BacksyncError } from "./errors.js";
import type { Stored } from "./messages.js";
import type { Watcher } from "./source.js";

export abstract class Watched<T> {
  state: SourceState = "loading";
  error: BacksyncError | undefined;
  #watchers = new Set<Watcher<T>>();

  /** Somebody watches now. */
  protected abstract begin(): void;
  /** Nobody does any more. */
  protected abstract end(): void;

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

  /** Also nothing is told: something else may be otherwise, as the position of a listening. */
  protected tell(changes: readonly Change<Stored<T>>[]): void {
    for (const watcher of [...this.#watchers]) watcher(changes);
  }

  protected become(state: SourceState, error?: BacksyncError): Change<Stored<T>>[] {
    if (this.state === "closed") return [];
    this.error = error;
    if (this.state === state) return [];
    this.state = state;
    return [{ type: "state", state, ...(error && { error }) }];
  }
}
