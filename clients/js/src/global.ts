/** What a script tag brings: everything but the adapters, as members of `backsync`. */

export * from "./index.js";
