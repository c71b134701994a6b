/** Links that others keep, as those hear of them to whom they lead: by listening to who names them, where somebody wants to know. */

import { whereVia } from "../references.js";
import { keptByOthers, led, type Classes } from "./associations.js";
import { handlersOf, isCollection, type Instance, type ModelInstance } from "./backbone.js";
import { Hearing } from "./hearing.js";
import type { Backing } from "./socket.js";
import { stateOf } from "./state.js";
import { tellLink } from "./telling.js";

/** Whether these event names, as Backbone takes them, have some of links among them. */
export function namesLinks(events: unknown): boolean {
  const names = typeof events === "string" ? events : Object.keys(events ?? {}).join(" ");
  return /(^|\s)(addedTo|removedFrom)(:|\s|$)/.test(names);
}

export class Links {
  #due = new Set<ModelInstance>();

  /** `may`: whether its settings let an instance listen. */
  constructor(
    private readonly backing: Backing,
    private readonly classes: Classes,
    private readonly may: (instance: Instance) => boolean,
  ) {}

  /** Something is otherwise with a model, or those of a collection: look behind this turn who wants to know of links. */
  look(instance: Instance): void {
    const models = isCollection(instance) ? instance.models : [instance as ModelInstance];
    for (const model of models) {
      if (keptByOthers(model).length === 0) continue;
      if (this.#due.size === 0) queueMicrotask(() => this.#settle());
      this.#due.add(model);
    }
  }

  #settle(): void {
    const due = [...this.#due];
    this.#due.clear();
    for (const model of due) for (const attribute of keptByOthers(model)) this.#listen(model, attribute);
  }

  #listen(model: ModelInstance, attribute: string): void {
    const { links } = stateOf(model);
    const known = links.get(attribute);
    const id = !model.isNew() && isWanted(model, attribute) && this.may(model) ? String(model.id) : undefined;
    if (known?.id === id) return;
    known?.hearing.end();
    links.delete(attribute);
    if (id === undefined) return;
    const { name, via } = led(model, attribute, this.classes)!;
    const collection = this.backing.collection<{ readonly [name: string]: unknown }>(name, { where: whereVia(via!, id) });
    collection.on("state", (state, error) => state === "failed" && model.trigger("error", model, error, {}));
    const hearing = new Hearing(collection, {
      upserted: (record, before) => void (before || tellLink(model, "addedTo", attribute, [record.id], record)),
      deleted: (record) => tellLink(model, "removedFrom", attribute, [record.id], record),
    });
    links.set(attribute, { hearing, id });
  }
}

/** Whether somebody has asked for what an attribute leads to, or for events of it: of the model, or of a collection that has it. */
function isWanted(model: ModelInstance, attribute: string): boolean {
  const { isDeaf, followed } = stateOf(model);
  if (isDeaf) return false;
  const isBound = (instance: Instance): boolean =>
    Object.entries(handlersOf(instance)).some(
      ([event, { length }]) => length > 0 && namesLinks(event) && [undefined, attribute].includes(event.split(":")[1]),
    );
  // A collection says what its models say.
  const others = (handlersOf(model)["all"] ?? []).map(({ context }) => context as Instance | null | undefined);
  const collections = others.filter((one): one is Instance => !!one && isCollection(one) && !stateOf(one).isDeaf);
  return followed.has(attribute) || [model, ...collections].some(isBound);
}
