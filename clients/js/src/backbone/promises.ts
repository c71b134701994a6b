/** The promises that calls return: jQuery's, with `done` and `fail`, where Backbone has jQuery; the platform's elsewhere. */

import type { Instance, SyncMethod } from "./backbone.js";

/**
 * No connection within the time that the settings give: `message` is `timeout`, and nothing was done. jQuery's `fail` gets `(error, method,
 * instance, options)`.
 */
export class SyncTimeout extends Error {
  /** By which it is told where `instanceof` does not reach, as between two bundles. */
  override readonly name = "SyncTimeout";

  /** @internal */
  constructor(
    /** The setting `timeout`, in milliseconds. */
    readonly after: number,
    /** What was asked for. */
    readonly method: SyncMethod,
    /** The model or collection. */
    readonly instance: Instance,
    /** The options of the request. */
    readonly options: object,
  ) {
    super("timeout");
  }
}

interface Deferred {
  resolve(value: unknown): void;
  reject(...reasons: unknown[]): void;
  promise(): unknown;
}

/** Nobody has to look at it: who gave callbacks does not. */
export function handedOut($: unknown, work: Promise<unknown>): unknown {
  const make = ($ as { Deferred?: () => Deferred } | undefined)?.Deferred;
  work.catch(() => {});
  if (typeof make !== "function") return work;
  const deferred = make();
  work.then(
    (value) => deferred.resolve(value),
    (error: unknown) => {
      if (error instanceof SyncTimeout) deferred.reject(error, error.method, error.instance, error.options);
      else deferred.reject(error);
    },
  );
  return deferred.promise();
}

/** Run what an application gave; what it throws is thrown where the platform reports errors that nobody caught. */
export function run(callback: () => void): void {
  try {
    callback();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
