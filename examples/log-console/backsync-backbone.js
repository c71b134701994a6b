/**
 * Backbone over backsync: a `Backbone.sync` that speaks through one SockJS connection, and `syncBind` for collections.
 *
 *     const connection = backsync(Backbone, () => new SockJS("http://127.0.0.1:9000/backsync"));
 *
 * What must hold: requests reach the server in the order they were made, also those made while there is no connection.
 * After a reconnect a collection is told again what it missed: it is read anew if it was ever fetched.
 */

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 10_000;

/**
 * Puts `Backbone.sync`, `Collection.syncBind` and `Collection.syncUnbind` in place. Returns the connection, which has
 * Backbone's events: `phase` (connecting, connected, lost, closed) and `fault` (an error that belongs to no request).
 */
export function backsync(Backbone, makeSocket) {
  const connection = new Connection(Backbone.Events, makeSocket);
  const bound = new Set();

  Backbone.sync = (method, model, options = {}) => {
    const { name, verb, data, wireOptions } = requestFor(method, model, options);
    if (method === "read" && isCollection(model)) model._backsyncRead = { data: options.data };
    const reply = connection.request(`${name}:${verb}`, data, wireOptions);
    model.trigger("request", model, reply, options);
    reply.then((message) => options.success?.(message.data), (error) => options.error?.(error));
    return reply.then((message) => message.data);
  };

  /** Calls `handler` with each record that `method` (`upsert`, `delete`) of this collection's model brings. */
  Backbone.Collection.prototype.syncBind = function (method, handler, context = this) {
    const isFirst = !bound.has(this);
    (this._backsyncHandlers ??= []).push({ method, handler, context });
    bound.add(this);
    if (isFirst) listen(this);
    return this;
  };

  Backbone.Collection.prototype.syncUnbind = function () {
    this._backsyncHandlers = [];
    bound.delete(this);
    return this;
  };

  // Heard from now on, though nothing was fetched: what the server calls `subscribe`.
  function listen(collection) {
    connection.request(`${modelName(collection)}:subscribe`).catch((error) => connection.trigger("fault", error));
  }

  function readAgain(collection, wait = FIRST_WAIT_MS) {
    const again = (_, error) => {
      if (!error.retry || !bound.has(collection)) return connection.trigger("fault", error);
      setTimeout(readAgain, wait, collection, Math.min(wait * 2, LONGEST_WAIT_MS));
    };
    collection.fetch({ ...collection._backsyncRead, error: again });
  }

  connection.on("reconnect", () => {
    for (const collection of bound) {
      if (!collection._backsyncRead) listen(collection);
      // A read that had no answer yet was sent again already.
      else if (!connection.isWaitingFor(`${modelName(collection)}:read`)) readAgain(collection);
    }
  });

  connection.on("push", (name, method, data) => {
    const records = Array.isArray(data) ? data : [data];
    for (const collection of bound) {
      if (modelName(collection) !== name) continue;
      if (method === "reset") collection.set(records, { parse: true });
      for (const { handler, context } of collection._backsyncHandlers.filter((one) => one.method === method)) {
        for (const record of records) handler.call(context, record);
      }
    }
  });

  connection.open();
  return connection;
}

/** What one call of `Backbone.sync` asks of the server. */
function requestFor(method, model, options) {
  const name = modelName(model);
  const attributes = () => options.attrs ?? model.toJSON(options);
  switch (method) {
    case "read":
      return { name, verb: "read", data: isCollection(model) ? options.data : { id: model.id } };
    case "create":
      // The id is made here, for two reasons. The push of a record comes before the reply, and has to find this model.
      // And a request that is sent twice, since the connection broke before its reply, must not make two records.
      if (model.id === undefined || model.id === null) model.set(model.idAttribute, newId());
      return { name, verb: "upsert", data: { ...attributes(), id: model.id } };
    case "update":
      return { name, verb: "upsert", data: { ...attributes(), id: model.id }, wireOptions: { replace: true } };
    case "patch":
      return { name, verb: "upsert", data: { ...attributes(), id: model.id } };
    case "delete":
      return { name, verb: "delete", data: { id: model.id } };
    default:
      throw new Error(`backsync has no method ${method}`);
  }
}

const isCollection = (model) => Array.isArray(model.models);

/** `urlRoot` of a model, `url` of a collection: here they are no addresses but the model's name. */
function modelName(model) {
  const resolve = (owner, key) => (typeof owner?.[key] === "function" ? owner[key]() : owner?.[key]);
  const name = isCollection(model) ? resolve(model, "url") : (resolve(model, "urlRoot") ?? resolve(model.collection, "url"));
  if (typeof name !== "string") throw new Error("a model needs a urlRoot, a collection a url: the name of its backsync model");
  return name.replace(/^\//, "");
}

// `crypto.randomUUID` is missing where a page came by plain http from another machine.
function newId() {
  const hex = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0"));
  return hex.join("");
}

/** One connection that comes back by itself, and the requests on it. */
class Connection {
  phase = "connecting";
  #makeSocket;
  #socket = null;
  #wait = FIRST_WAIT_MS;
  #isFirst = true;
  #stays = true;
  #lastId = 0;
  /** Requests without a reply, in the order they were made. */
  #waiting = new Map();

  constructor(Events, makeSocket) {
    Object.assign(this, Events);
    this.#makeSocket = makeSocket;
  }

  open() {
    const socket = this.#makeSocket();
    socket.onopen = () => this.#opened(socket);
    socket.onmessage = (e) => this.#received(e.data);
    socket.onclose = () => this.#lost();
  }

  /** Resolves with the reply; fails with an `Error` that bears the server's `code` and `retry`. */
  request(event, data, options) {
    const id = ++this.#lastId;
    const text = JSON.stringify({ id, event, data, options });
    const reply = new Promise((resolve, reject) => this.#waiting.set(id, { event, text, resolve, reject }));
    // Who gave callbacks need not look at the promise.
    reply.catch(() => {});
    this.#socket?.send(text);
    return reply;
  }

  isWaitingFor(event) {
    return [...this.#waiting.values()].some((request) => request.event === event);
  }

  /** Ends it for good. */
  close() {
    this.#stays = false;
    this.#socket?.close();
  }

  #opened(socket) {
    this.#socket = socket;
    this.#wait = FIRST_WAIT_MS;
    for (const { text } of this.#waiting.values()) socket.send(text);
    this.#become("connected");
    if (!this.#isFirst) this.trigger("reconnect");
    this.#isFirst = false;
  }

  // On this door the server sends JSON values, not texts: `message` is an object already.
  #received(message) {
    if ("id" in message) return this.#replied(message);
    const [name, method] = split(message.event);
    if (name !== "$session") return this.trigger("push", name, method, message.data);
    if (method === "error") this.trigger("fault", failure(message.data));
    if (method === "close" && message.data?.reconnect === false) this.#stays = false;
  }

  #replied(message) {
    const request = this.#waiting.get(message.id);
    if (!request) return;
    this.#waiting.delete(message.id);
    if (message.error) request.reject(failure(message.error));
    else request.resolve(message);
  }

  #lost() {
    this.#socket = null;
    if (!this.#stays) return this.#ended();
    this.#become("lost");
    // Some chance in it, so that the pages of a server that restarts do not all come back in one moment.
    setTimeout(() => this.open(), this.#wait * (0.5 + Math.random() / 2));
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT_MS);
  }

  #ended() {
    const closed = failure({ code: "closed", message: "the connection is closed", retry: false });
    for (const { reject } of this.#waiting.values()) reject(closed);
    this.#waiting.clear();
    this.#become("closed");
  }

  #become(phase) {
    this.phase = phase;
    this.trigger("phase", phase);
  }
}

function split(event) {
  const colon = event.indexOf(":");
  return [event.slice(0, colon), event.slice(colon + 1)];
}

const failure = ({ code, message, retry }) => Object.assign(new Error(message), { code, retry });
