/** What tabs that share a storage tell each other. */

import type { Json } from "../messages.js";
import type { OfflineStorage } from "./storage.js";

/** A message between tabs. */
export type Word =
  /** Writes were put into the storage. */
  | { readonly type: "written" }
  /** This tab sends from now on; whoever did so before may have answered writes without a word. */
  | { readonly type: "leads" }
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
export function tabsOf(storage: OfflineStorage, json: Json, heard: (word: Word) => void): Tabs {
  if (storage.name === undefined) return { hear: true, say() {}, close() {} };
  if (typeof BroadcastChannel === "undefined") {
    const timer = setInterval(() => heard({ type: "written" }), LOOK_EVERY);
    return { hear: false, say() {}, close: () => clearInterval(timer) };
  }
  const channel = new BroadcastChannel(`backsync:${storage.name}`);
  channel.onmessage = ({ data }: { data: string }) => heard(json.parse(data) as Word);
  return { hear: true, say: (word) => channel.postMessage(json.stringify(word)), close: () => channel.close() };
}
