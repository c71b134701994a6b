/** Where the records of a collection come from, and where its writes go. */

import type { Change, SourceState } from "./contents.js";
import type { BacksyncError } from "./errors.js";
import type { Patience } from "./ledger.js";
import type { DeleteOptions, Doomed, Draft, Stored, WriteOptions } from "./messages.js";

/** Hears what became of the records: what one message of the server changed is one call. */
export type Watcher<T> = (changes: readonly Change<Stored<T>>[]) => void;

/**
 * What a collection stands on. The server's listening is one, and so are the offline cache and whatever else keeps records.
 *
 * All that is told by one call of a watcher is already in `records` and `state` by then.
 */
export interface Source<T> {
  /** The name of the records' model. */
  readonly model: string;
  /** How it stands. */
  readonly state: SourceState;
  /** Why it is in state `failed`. */
  readonly error: BacksyncError | undefined;
  /** By id, in the order of insertion. */
  readonly records: ReadonlyMap<string, Stored<T>>;
  /**
   * Hear of changes from now on, and keep the source at work for so long; the function returned ends it. A source that nobody watches any
   * more is closed, and is not begun again.
   */
  watch(watcher: Watcher<T>): () => void;
  /** Resolves to the record as it then is; to `null` where this edit lost against another and there is no record. */
  upsert(record: Draft<T>, options?: WriteOptions & Patience): Promise<Stored<T> | null>;
  /** The same for several records: all of them or none. */
  upsert(records: readonly Draft<T>[], options?: WriteOptions & Patience): Promise<(Stored<T> | null)[]>;
  /** Delete records, by their ids or as they are. To delete what is not there succeeds. */
  delete(records: Doomed | readonly Doomed[], options?: DeleteOptions & Patience): Promise<void>;
}
