/** What a script tag brings, as members of `backsync`: the core, and with names of their own what goes on without a connection, and stores. */

export * from "./index.js";
export { store } from "./adapters/store.js";
export * as offline from "./offline/index.js";
