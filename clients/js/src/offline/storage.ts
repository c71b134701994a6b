/** The seam to whatever keeps things when the page is gone: texts, by their keys. */

/** What a write sets, and with `null` removes. */
export type StorageChanges = ReadonlyMap<string, string | null>;

/** Carry a write out only where this key has this text, or with `undefined` none. */
export interface StorageCondition {
  /** The key that is looked at. */
  readonly key: string;
  /** What it has to have; `undefined`: nothing. */
  readonly text: string | undefined;
}

/**
 * A place for texts. Whatever fails rejects with a {@link StorageError}, and has no effect then. Other pages and workers may
 * have the same place open.
 */
export interface OfflineStorage {
  /** What others who have the same place open find it by; `undefined` where nobody else can. */
  readonly name: string | undefined;
  /** All whose keys begin with `prefix`, which is not empty, in the order of their UTF-16 code units. */
  list(prefix: string): Promise<[key: string, text: string][]>;
  /** In one atomic step; resolves to whether the condition held. What one caller writes is done in its order. */
  write(changes: StorageChanges, condition?: StorageCondition): Promise<boolean>;
  /** Let go of what is open. It may be closed already, and is opened again by the next call. */
  close(): Promise<void>;
}

/** A storage failed. */
export class StorageError extends Error {
  /** By which it is told where `instanceof` does not reach, as between two bundles. */
  override readonly name = "StorageError";

  /** `cause`: what the platform said. */
  constructor(
    /** `full`: there is no room. `unavailable`: it does not work at all, for now or for good. */
    readonly code: "full" | "unavailable",
    message: string,
    cause?: unknown,
  ) {
    super(message, { cause });
  }

  /** What a platform's storage failed with. */
  static of(cause: unknown): StorageError {
    const name = (cause as { name?: unknown } | null)?.name;
    const isFull = name === "QuotaExceededError" || name === "NS_ERROR_DOM_QUOTA_REACHED";
    if (isFull) return new StorageError("full", "the storage has no room", cause);
    return new StorageError("unavailable", `the storage failed: ${String(cause)}`, cause);
  }
}

/** Those that begin with `prefix`, in order. */
export function sortedWith(prefix: string, entries: Iterable<[string, string]>): [string, string][] {
  return [...entries].filter(([key]) => key.startsWith(prefix)).sort(([a], [b]) => (a < b ? -1 : 1));
}
