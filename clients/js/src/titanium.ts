/** What an app of Titanium's needs, in one file for its `require`. */

export { alloy } from "./alloy/index.js";
export { memoryConnector, restConnector } from "./connectors/index.js";
export { connect } from "./index.js";
export { localStorage, memory, openOffline } from "./offline/index.js";
