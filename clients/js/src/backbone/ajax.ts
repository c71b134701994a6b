/** Requests by the sync function that a class had: `Backbone.sync` with jQuery's ajax, or what stands in its place. */

import type { Policy } from "../messages.js";
import { isCollection, type CallOptions, type Instance, type Members, type SyncFunction, type SyncMethod } from "./backbone.js";
import type { Rec } from "./hearing.js";
import { settingsIn, type Wanted } from "./settings.js";
import { modelNameOf, recordUrl } from "./target.js";
import type { Link, Way, Write } from "./way.js";

export class AjaxWay implements Way {
  constructor(
    private readonly delegate: SyncFunction,
    /** What is asked by it. */
    private readonly method: SyncMethod,
    private readonly instance: Instance,
    private readonly options: CallOptions,
    /** Of the instance itself. */
    private readonly url: string,
    private readonly api: string,
  ) {}

  one(_name: string, id: string, populate: readonly string[]): Promise<Rec> {
    // A record that was made just now is not at the URL where it was made.
    const url = this.method === "create" ? `${this.url}/${encodeURIComponent(id)}` : this.url;
    return this.#call<Rec>("read", url, this.#query({}, populate));
  }

  many(name: string, wanted: Wanted, populate: readonly string[]): Promise<readonly Rec[]> {
    const isOwn = isCollection(this.instance) && name === modelNameOf(this.instance);
    return this.#call<Rec[]>("read", isOwn ? this.url : recordUrl(this.api, name), this.#query(wanted, populate));
  }

  write({ method, record, policy }: Write): Promise<Rec | null> {
    return this.#call<Rec | null>(method, withTerms(this.url, { policy }), { attrs: record });
  }

  async delete(_name: string, { _rev: base }: Members, policy: Policy | undefined): Promise<void> {
    await this.#call("delete", withTerms(this.url, { policy, base }), {});
  }

  async link({ owner, other }: Link, isSet: boolean): Promise<void> {
    await this.#call(isSet ? "update" : "delete", recordUrl(this.api, owner.name, owner.id, owner.association, other.id), { attrs: {} });
  }

  /** As the HTTP interface reads it, and with what else somebody has to say to another one. */
  #query({ where, ids, sort, skip, limit }: Wanted, populate: readonly string[]): CallOptions {
    const { data: given } = this.options;
    if (typeof given === "string") return { data: given };
    const others = Object.entries((given ?? {}) as Members).filter(([name]) => !(name in settingsIn(given)));
    const data = {
      ...Object.fromEntries(others),
      ...(where && { where: JSON.stringify(where) }),
      ...(ids && { ids: JSON.stringify(ids.map(String)) }),
      ...(sort && { sort: JSON.stringify([sort].flat()) }),
      ...(skip !== undefined && { skip }),
      ...(limit !== undefined && { limit }),
      ...(populate.length > 0 && { populate: JSON.stringify(populate) }),
    };
    return Object.keys(data).length > 0 ? { data } : {};
  }

  #call<T>(method: SyncMethod, url: string, more: CallOptions): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const { data: _, attrs: __, ...options } = this.options;
      const success = (data: never): void => resolve(data);
      this.delegate.call(this.instance, method, this.instance, { ...options, ...more, url, success, error: reject });
    });
  }
}

function withTerms(url: string, terms: { readonly policy: Policy | undefined; readonly base?: unknown }): string {
  const said = Object.entries(terms).flatMap(([name, value]) => (value ? [`${name}=${value}`] : []));
  return said.length > 0 ? `${url}${url.includes("?") ? "&" : "?"}${said.join("&")}` : url;
}
