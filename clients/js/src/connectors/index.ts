/**
 * Where collections have their records from. A client is such a connector, and one that goes on offline is another; these are for
 * those who have something else. Whatever opens collections over a {@link Source} is one.
 *
 * @module backsync/connectors
 */

export type { Opener as Connector } from "../opener.js";
export type { Source, Watcher } from "../source.js";
export { memoryConnector } from "./memory.js";
export { restConnector, type RestOptions } from "./rest.js";
export { WatchedSource } from "./watched.js";
