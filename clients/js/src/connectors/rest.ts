/**
 * Records behind an HTTP interface: that of a backsync server, or of any other that answers like it. It hears of the writes that are
 * made here, and of others when it asks again.
 */

import { Collection, type CollectionOptions } from "../collection.js";
import type { Change } from "../contents.js";
import type { Criteria } from "../criteria.js";
import { equal } from "../equal.js";
import { BacksyncError, type ErrorObject } from "../errors.js";
import type { Patience } from "../ledger.js";
import type { DeleteOptions, Doomed, Draft, Stored, WriteOptions } from "../messages.js";
import type { Opener } from "../opener.js";
import { listed, WatchedSource } from "./watched.js";

/** How records are reached over HTTP. */
export interface RestOptions {
  /** In the place of the platform's `fetch`. */
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
  /** To be sent with each request: a token, say. */
  headers?: { readonly [name: string]: string } | (() => { readonly [name: string]: string });
  /**
   * Milliseconds between two looks; what is as it was costs next to nothing where the server gives an `ETag`. `false`: look once.
   * Default: 10,000.
   */
  every?: number | false;
}

interface Host extends Required<Omit<RestOptions, "headers">> {
  readonly api: string;
  readonly sources: Set<RestSource<never>>;
  headers(): { readonly [name: string]: string };
}

/**
 * A connector whose collections have records by HTTP alone. `api`: where records are at `/MODEL` and `/MODEL/ID`, as
 * `https://example.com/api`.
 *
 * ```js
 * const connector = restConnector("/api", { every: 5000, headers: () => ({ authorization: `Bearer ${token}` }) });
 * const tasks = connector.collection("Task", { where: { done: false } });
 * ```
 *
 * What fails is a `BacksyncError`: with the code of the server's answer, `http_` and the status where that has none, or `unreachable`
 * where there is no answer. Writes are sent once, and reject with `timeout` behind their `timeout`. Several records are deleted one after
 * the other: what is refused leaves those before it done. A deletion is compared with the `_rev` that it bears where `policy` is said, and
 * always with a `base`: under `server-wins`, unless `policy` says otherwise. A collection whose server does not answer is `stale` until it
 * does, or `loading` where it never did, and `failed` where it refuses.
 */
export function restConnector(
  api: string,
  { fetch = (url, init) => globalThis.fetch(url, init), headers = {}, every = 10_000 }: RestOptions = {},
): Opener {
  const host: Host = {
    api: api.replace(/\/+$/, ""),
    fetch,
    every,
    headers: () => (typeof headers === "function" ? headers() : headers),
    sources: new Set(),
  };
  return {
    collection<T extends object>(model: string, options: Criteria & CollectionOptions<T> = {}) {
      return new Collection<T>(new RestSource<T>(model, options, host), options);
    },
  };
}

class RestSource<T extends object> extends WatchedSource<T> {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #tag: string | undefined;
  /** Writes that were made here: an answer from before one is none. */
  #writes = 0;

  constructor(
    model: string,
    criteria: Criteria,
    private readonly host: Host,
  ) {
    super(model, criteria);
  }

  override upsert(record: Draft<T>, options?: WriteOptions & Patience): Promise<Stored<T> | null>;
  override upsert(records: readonly Draft<T>[], options?: WriteOptions & Patience): Promise<(Stored<T> | null)[]>;
  override async upsert(records: Draft<T> | readonly Draft<T>[], options: WriteOptions & Patience = {}): Promise<never> {
    const { list, isArray } = listed(records);
    const { base } = options;
    checkBase(options, isArray);
    const body = isArray || base === undefined ? records : { ...records, _rev: base };
    const headers = { "content-type": "application/json" };
    const answer = await this.#write("POST", `${this.#url()}${terms(options)}`, options, { headers, body: JSON.stringify(body) });
    const written = (isArray ? answer : [answer]) as (Stored<T> | null)[];
    this.#wrote(written.map((record, at) => [record?.id ?? String(list[at]?.id), record ?? undefined]));
    return answer as never;
  }

  /** One after the other: what is refused leaves those before it done. */
  override async delete(records: Doomed | readonly Doomed[], options: DeleteOptions & Patience = {}): Promise<void> {
    const { list, isArray } = listed(records);
    checkBase(options, isArray);
    for (const one of list) {
      const { id, _rev } = typeof one === "object" ? one : { id: one, _rev: undefined };
      const base = options.base ?? _rev ?? undefined;
      const url = `${this.#url(String(id))}${terms(options, base)}`;
      const stays = (await this.#write("DELETE", url, options, { headers: {} })) as Stored<T> | undefined;
      this.#wrote([[String(id), stays]]);
    }
  }

  /** Somebody wrote these, here. */
  told(records: readonly [id: string, record: Stored<T> | undefined][]): void {
    this.#writes++;
    this.#tag = undefined;
    if (this.state === "loading") return;
    this.tell(records.flatMap(([id, record]) => this.changed(id, record)));
  }

  protected override begin(): void {
    this.host.sources.add(this as unknown as RestSource<never>);
    void this.#look();
  }

  protected override end(): void {
    this.host.sources.delete(this as unknown as RestSource<never>);
    clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    const { every } = this.host;
    const writes = this.#writes;
    const changes = await this.#asked().catch((error: unknown) => this.#failed(error as BacksyncError));
    if (this.state === "closed") return;
    if (writes !== this.#writes) return this.#look();
    this.tell(changes());
    if (every !== false) this.#timer = setTimeout(() => void this.#look(), every);
  }

  /** What the answer makes of the records, once it is known to be the last word. */
  async #asked(): Promise<() => Change<Stored<T>>[]> {
    const { where, ids } = this.criteria;
    const query = where
      ? `?where=${encodeURIComponent(JSON.stringify(where))}`
      : ids
        ? `?ids=${encodeURIComponent(JSON.stringify(ids.map(String)))}`
        : "";
    const headers = { ...this.host.headers(), ...(this.#tag !== undefined && { "if-none-match": this.#tag }) };
    const { response, body } = await this.#ask(this.#url() + query, { headers });
    if (response.status === 304) return () => this.become("live");
    const records = body as Stored<T>[];
    return () => {
      this.#tag = response.headers.get("etag") ?? undefined;
      const before = this.records;
      this.records = new Map(records.map((record) => [record.id, record]));
      return [...changesBetween(before, this.records, this.state === "loading"), ...this.become("live")];
    };
  }

  #failed(error: BacksyncError): () => Change<Stored<T>>[] {
    // Whoever is there and refuses does so again.
    const isFinal = !error.retry || this.host.every === false;
    return () => (isFinal ? this.become("failed", error) : this.state === "live" ? this.become("stale") : []);
  }

  #wrote(records: [id: string, record: Stored<T> | undefined][]): void {
    for (const source of this.host.sources) if (source.model === this.model) (source as unknown as RestSource<T>).told(records);
  }

  #url(id?: string): string {
    return [this.host.api, this.model, ...(id === undefined ? [] : [id])]
      .map((part, at) => (at === 0 ? part : encodeURIComponent(part)))
      .join("/");
  }

  /** The answer, all of which is there; one that tells an error is thrown. */
  async #ask(url: string, init: RequestInit): Promise<{ response: Response; body: unknown }> {
    try {
      const response = await this.host.fetch(url, init);
      return { response, body: await bodyOf(response) };
    } catch (cause) {
      if (cause instanceof BacksyncError) throw cause;
      if (init.signal?.aborted) throw init.signal.reason;
      throw new BacksyncError({ code: "unreachable", message: `nobody answers: ${(cause as Error).message}`, retry: true }, { cause });
    }
  }

  async #write(method: string, url: string, { timeout, signal }: Patience, { headers, body }: Said): Promise<unknown> {
    const limit = timeout === undefined ? undefined : AbortSignal.timeout(timeout);
    const given = [signal, limit].filter((one) => one !== undefined);
    const init = { method, headers: { ...this.host.headers(), ...headers }, ...(body !== undefined && { body }) };
    try {
      return (await this.#ask(url, { ...init, ...(given.length > 0 && { signal: AbortSignal.any(given) }) })).body;
    } catch (error) {
      if (limit && error === limit.reason) throw BacksyncError.of("timeout", `no reply within ${timeout} ms`);
      throw error;
    }
  }
}

/** What is sent with a write. */
interface Said {
  readonly headers: { readonly [name: string]: string };
  readonly body?: string;
}

/** As the server refuses it in messages. */
function checkBase({ base }: DeleteOptions, isArray: boolean): void {
  if (base === undefined || !isArray) return;
  throw new BacksyncError({ code: "invalid_options", message: "base goes with one record; of several each bears its own as _rev" });
}

function terms({ policy, prefer, replace }: WriteOptions, base?: number): string {
  const said = {
    ...(policy && { policy }),
    ...(prefer && { prefer }),
    ...(replace && { replace: "true" }),
    ...(base !== undefined && { base: String(base) }),
  };
  return Object.keys(said).length > 0 ? `?${new URLSearchParams(said)}` : "";
}

async function bodyOf(response: Response): Promise<unknown> {
  if (response.status === 204 || response.status === 304) return undefined;
  const body: unknown = await response.json().catch((error: Error) => {
    // It is none of JSON, which is not to say that it broke off.
    if (error.name !== "SyntaxError") throw error;
  });
  if (response.ok) return body;
  const {
    code = `http_${response.status}`,
    detail = `the server answered ${response.status}`,
    ...rest
  } = (body ?? {}) as ErrorObject & { detail?: string };
  throw new BacksyncError({ ...rest, code, message: detail, retry: rest.retry ?? response.status >= 500 });
}

function changesBetween<T>(
  before: ReadonlyMap<string, Stored<T>>,
  after: ReadonlyMap<string, Stored<T>>,
  isFirst: boolean,
): Change<Stored<T>>[] {
  if (isFirst) return [{ type: "reset", records: [...after.values()] }];
  const changes: Change<Stored<T>>[] = [];
  for (const [id, record] of before) if (!after.has(id)) changes.push({ type: "delete", id, record, left: false });
  for (const [id, record] of after) {
    const known = before.get(id);
    if (!known || !equal(known, record)) changes.push({ type: "upsert", id, record, ...(known && { before: known }) });
  }
  return changes;
}
