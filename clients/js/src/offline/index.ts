/**
 * Collections that are there without a connection: kept in a storage, with writes that wait for the server. {@link openOffline} opens
 * them.
 *
 * @module backsync/offline
 */

export { openOffline, type OfflineClient, type OfflineEvents, type OfflineOptions } from "./client.js";
export type { Edit, Entry, Members } from "./entry.js";
export { indexedDb } from "./indexed-db.js";
export type { Locks } from "./lead.js";
export { localStorage, type WebStorage } from "./local-storage.js";
export { memory } from "./memory.js";
export type { SetAside } from "./queue.js";
export type { Conflict, Resolution, Resolve } from "./sender.js";
export { StorageError, type OfflineStorage, type StorageChanges, type StorageCondition } from "./storage.js";
export type { Trouble } from "./trouble.js";
