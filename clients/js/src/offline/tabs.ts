/** What tabs that share a storage tell each other. */

import type { OfflineStorage } from "./storage.js";

/** A message between tabs. */
export type Word =
  /** Writes were put into the storage. */
  | { readonly type: "written" }
  /** A write was answered: with `data`, or refused. */
  | { readonly type: "answered"; readonly write: string; readonly data?: unknown; readonly error?: { code: string; message: string } };

/** Milliseconds between two looks into the storage where tabs cannot be told. */
const LOOK_EVERY = 2000;

export interface Tabs {
  /** Whether others hear what is said; otherwise they look by themselves. */
  readonly hear: boolean;
  say(word: Word): void;
  close(): void;
}

/** `heard` is called with what others say; where they cannot, with `written` every now and then. */
export function tabsOf(storage: OfflineStorage, heard: (word: Word) => void): Tabs {
  if (storage.name === undefined) return { hear: true, say() {}, close() {} };
  if (typeof BroadcastChannel === "undefined") {
    const timer = setInterval(() => heard({ type: "written" }), LOOK_EVERY);
    return { hear: false, say() {}, close: () => clearInterval(timer) };
  }
  const channel = new BroadcastChannel(`backsync:${storage.name}`);
  channel.onmessage = ({ data }: { data: Word }) => heard(data);
  return { hear: true, say: (word) => channel.postMessage(word), close: () => channel.close() };
}
