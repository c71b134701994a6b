/** What a script tag brings, as members of `backsync`: the core, what goes on without a connection under a name of its own, stores, and populated collections. */

export * from "./index.js";
export { store } from "./adapters/store.js";
export { populated } from "./populate/index.js";
export * as offline from "./offline/index.js";
