/**
 * Backbone over a client: collections and models that sync, hear of changes, and know what belongs to what. {@link attach} puts it
 * there.
 *
 * @module backsync/backbone
 */

export type { Association } from "./associations.js";
export { attach, type Attachment, type AttachOptions } from "./attach.js";
export type { BackboneLike, CallOptions, EventsLike, Instance, Members, SyncMethod } from "./backbone.js";
export { family, trackedView, type Related } from "./family.js";
export { Registry, type AnyClass } from "./identity.js";
export type { BoundHandler, SyncedCollection, SyncedModel } from "./methods.js";
export { SyncTimeout } from "./promises.js";
export type { Flag, Populate, PopulateCriteria, Settings } from "./settings.js";
export type { Backing, Server } from "./socket.js";
