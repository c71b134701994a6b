/** What went wrong with what is kept, so that nothing is lost in silence. */

/** What is told of it, by the event `trouble`. */
export type Trouble =
  /** The storage failed. What it was to keep is only in memory, and goes with the page. */
  | { readonly type: "storage"; readonly error: Error }
  /** A collection was not as it was written: it was dropped, and is read from the server. */
  | { readonly type: "cache_corrupt"; readonly model: string }
  /** A collection has more records than are to be kept: it is not kept. */
  | { readonly type: "cache_too_large"; readonly model: string; readonly records: number }
  /** A write that waited was not as it was written: it was set aside. */
  | { readonly type: "write_corrupt"; readonly text: string };
