/** Requests by the client, over whatever connection it has; or to whatever else keeps records. */

import type { Collection } from "../collection.js";
import type { ConnectionState } from "../connection.js";
import { BacksyncError } from "../errors.js";
import type { DeleteOptions, Draft, Policy, Reply, WriteOptions } from "../messages.js";
import type { Opener } from "../opener.js";
import type { Members } from "./backbone.js";
import type { Rec } from "./hearing.js";
import { linked } from "../references.js";
import type { Wanted } from "./settings.js";
import type { Link, Way, Write } from "./way.js";

/** What there is more where a server is spoken to directly: a client. */
export interface Server {
  /** How the connection stands. */
  readonly state: ConnectionState;
  /** Call `handler` when it stands differently; the function returned ends that. */
  on(name: "state", handler: (state: ConnectionState) => void): () => void;
  /** Any request of the protocol. */
  request<D = unknown>(event: string, data?: unknown, options?: { options?: object }): Promise<Reply<D>>;
  /** Insert a record, or set members of the one that has this id. Resolves to the record as it then is. */
  upsert<T extends object>(model: string, record: Draft<T>, options?: WriteOptions): Promise<unknown>;
  /** Delete a record. To delete what is not there succeeds. */
  delete(model: string, record: { readonly id: string }, options?: DeleteOptions): Promise<void>;
}

/** What Backbone is put over: a client, a client that goes on offline, or any other connector. */
export type Backing = Opener & (Partial<Server> | { readonly client: Opener & Server });

/** The server, where it is spoken to directly. */
export function serverOf(backing: Backing): (Opener & Server) | undefined {
  return "request" in backing ? (backing as Opener & Server) : undefined;
}

/** So often a link is written anew because its record changed meanwhile. */
const ATTEMPTS = 16;

export class SocketWay implements Way {
  constructor(
    private readonly backing: Backing,
    /** Records of this model that are open already, to be written to where there is no server. */
    private readonly opened: (name: string) => Collection<Members> | undefined,
  ) {}

  async one(name: string, id: string, populate: readonly string[]): Promise<Rec> {
    const server = this.#asked(populate);
    if (server) return read<Rec>(server, name, { id }, populate);
    const [record] = await this.many(name, { ids: [id] }, []);
    if (!record) throw new BacksyncError({ code: "not_found", message: `there is no ${id} in ${name}` });
    return record;
  }

  async many(name: string, wanted: Wanted, populate: readonly string[]): Promise<readonly Rec[]> {
    const server = this.#asked(populate);
    if (server) return read<Rec[]>(server, name, wanted, populate);
    const { skip = 0, limit = Infinity, ...criteria } = wanted;
    const collection = this.backing.collection<Members>(name, criteria);
    try {
      await collection.ready;
      return collection.records.slice(skip, skip + limit);
    } finally {
      collection.close();
    }
  }

  async write({ method, name, record, policy }: Write): Promise<Rec | null> {
    const options = { ...(method === "update" && { replace: true }), ...(policy && { policy }) };
    return this.#upsert(name, record, options);
  }

  delete(name: string, record: Members & { readonly id: string }, policy: Policy | undefined): Promise<void> {
    const { id, _rev } = record as { id: string; _rev?: number };
    const doomed = { id, ...(_rev !== undefined && { _rev }) };
    const options = policy ? { policy } : {};
    return (
      serverOf(this.backing)?.delete(name, doomed, options) ?? this.#within(name, id, (collection) => collection.delete(doomed, options))
    );
  }

  async link({ owner, other, via }: Link, isSet: boolean): Promise<void> {
    const [keeper, attribute, id] = via === undefined ? [owner, owner.association, other.id] : [other, via, owner.id];
    // Nobody is led to who is not there; the name of one who has gone can be taken away.
    if (isSet) await this.one(other.name, other.id, []);
    let [record = null] = (await this.many(keeper.name, { ids: [keeper.id] }, [])) as readonly (Rec | null)[];
    if (!record && keeper === other) return;
    for (let attempt = 0; attempt < ATTEMPTS && record; attempt++) {
      const value = linked(record[attribute], id, isSet, via === undefined);
      if (value === undefined) return;
      try {
        const { _rev: base } = record;
        await this.#upsert(
          keeper.name,
          { id: keeper.id, [attribute]: value },
          { policy: "server-wins", ...(base !== undefined && { base }) },
        );
        return;
      } catch (error) {
        // By its code: a client of another bundle has errors of its own.
        const { code, record: present = null } = error as BacksyncError;
        if (code !== "conflict") throw error;
        record = present as Rec | null;
      }
    }
    throw new BacksyncError({ code: "conflict", message: "the record that keeps the link changes all the time, or is gone" });
  }

  async #upsert(name: string, record: Members & { readonly id: string }, options: WriteOptions): Promise<Rec | null> {
    const server = serverOf(this.backing);
    if (server) return (await server.upsert<Members>(name, record, options)) as Rec | null;
    return this.#within(name, record.id, (collection) => collection.upsert(record, options));
  }

  async #within<T>(name: string, id: string, work: (collection: Collection<Members>) => Promise<T>): Promise<T> {
    const opened = this.opened(name);
    if (opened) return work(opened);
    const collection = this.backing.collection<Members>(name, { ids: [id] });
    try {
      return await work(collection);
    } finally {
      collection.close();
    }
  }

  /** Who answers queries of the protocol; what is kept offline does not, but for references. */
  #asked(populate: readonly string[]): Server | undefined {
    const server = serverOf(this.backing);
    if (server || populate.length === 0) return server;
    const { client } = this.backing as { client?: Opener & Server };
    if (!client) throw new TypeError("references are filled in by a server, and there is none");
    return client;
  }
}

async function read<D>(server: Server, name: string, query: object, populate: readonly string[]): Promise<D> {
  const { data } = await server.request<D>(
    `${name}:read`,
    { ...query, ...(populate.length > 0 && { populate }) },
    { options: { listen: false } },
  );
  return data;
}
