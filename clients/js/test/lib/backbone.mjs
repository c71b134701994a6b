/** Backbone over clients of a real server, each with a Backbone of its own, so that none replaces anything of another. */

import { createRequire } from "node:module";

import { connect } from "backsync";
import { attach } from "backsync/backbone";
import { Broker } from "../../../../tests/browser/lib/broker.mjs";
import { Faulty } from "./faulty.mjs";
import { WAYS } from "./ways.mjs";

const require = createRequire(import.meta.url);
const REFERENCES = [
  `models.User.references=['spouse=User','friends=User[]','pets=Pet:owner']`,
  `models.Pet.references=['owner=User']`,
];

/** Backbone as it is when it was just loaded. */
export function freshBackbone(name = "backbone") {
  delete require.cache[require.resolve(name)];
  return require(name);
}

export const startBroker = (t, settings = []) => Broker.start(t, { settings: [...REFERENCES, ...settings], store: "memory:" });

/** A client with quick reconnects. `transports`: instead of a WebSocket. */
export function clientOf(t, broker, options = {}) {
  const client = connect(broker.url, { transports: [WAYS.websocket()], reconnect: { first: 20, longest: 100 }, ...options });
  t.after(() => client.close());
  return client;
}

/**
 * `{broker, client, way, Backbone, backsync, somebody, requests}`: `way` is that of the client, to be cut; `somebody` is another client, without
 * Backbone; `requests` are those by ajax.
 */
export async function setUp(t, { options = {}, isDown = false } = {}) {
  const broker = await startBroker(t);
  const way = new Faulty(WAYS.websocket());
  if (isDown) way.down();
  const client = clientOf(t, broker, { transports: [way.transport] });
  const Backbone = freshBackbone();
  const requests = ajaxByFetch(Backbone);
  const backsync = attach(Backbone, client, { sync: "socket", api: `${broker.url}/api`, ...options });
  return { broker, client, way, Backbone, backsync, requests, somebody: clientOf(t, broker) };
}

/** What Backbone's own sync takes of jQuery; browsers try it with jQuery itself. Returns the requests, as `GET /api/Task?where=…`. */
function ajaxByFetch(Backbone) {
  const requests = [];
  Backbone.ajax = ({ type, url, data, contentType, success, error }) => {
    const query = type === "GET" && data ? `?${new URLSearchParams(data)}` : "";
    const { pathname, search } = new URL(url + query);
    requests.push(`${type} ${decodeURIComponent(pathname + search)}`);
    const init = { method: type, ...(contentType && { headers: { "content-type": contentType } }), ...(type !== "GET" && data && { body: data }) };
    fetch(url + query, init).then(async (response) => {
      const body = response.status === 204 ? undefined : await response.json();
      if (response.ok) success(body, "success", response);
      else error({ status: response.status, responseJSON: body });
    });
  };
  return requests;
}

/** Resolves when the client stands so. */
export const stands = (client, wanted) =>
  new Promise((resolve) => {
    const look = () => client.state === wanted && (stop(), resolve());
    const stop = client.on("state", look);
    look();
  });

/** Resolves with what the next event says, or the next for which `holds` does. */
export const happens = (emitter, name, holds = () => true) =>
  new Promise((resolve) => {
    const heard = (...values) => {
      if (!holds(...values)) return;
      emitter.off(name, heard);
      resolve(values);
    };
    emitter.on(name, heard);
  });

/** Resolves when `holds` does, which is asked at every event. */
export const becomes = (emitter, holds) => (holds() ? Promise.resolve() : happens(emitter, "all", holds));

/** All that was said before has been heard when it resolves, as what is said in here has, by a listening behind all others. */
export async function heard(client, somebody, model) {
  const mark = `mark-${Math.random()}`;
  const collection = client.collection(model);
  await collection.ready;
  const isGone = new Promise((resolve) => collection.on("delete", ({ id }) => id === mark && resolve()));
  await somebody.upsert(model, { id: mark });
  await somebody.delete(model, mark);
  await isGone;
  collection.close();
}

/** Attributes without what is the server's. */
export const own = ({ attributes }) => Object.fromEntries(Object.entries(attributes).filter(([name]) => !name.startsWith("_")));
