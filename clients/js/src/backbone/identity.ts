/** Which model or view something is: types by their names, and ids that are the same each time. */

import { randomName } from "../naming.js";
import type { Members } from "./backbone.js";

/** Any class, of models, collections or views. */
export type AnyClass = {
  new (...values: never[]): object;
  /** What its instances have in common. */
  readonly prototype: object;
};

/**
 * Types and their constructors: what has one is made anew from its name, in this visit or a later one.
 *
 * ```js
 * const registry = new Registry();
 * registry.register("Row", Row);
 * registry.create("Row", { parent: page });
 * registry.idOf(row);                              // as "Page:0/Row:m1"
 * ```
 */
export class Registry {
  #classes = new Map<string, AnyClass>();

  /**
   * Give a class a name; the class is returned.
   *
   * @throws TypeError where another class has the name already
   */
  register<T extends AnyClass>(type: string, of: T): T {
    const known = this.#classes.get(type);
    if (known && known !== of) throw new TypeError(`${type} is another class already`);
    this.#classes.set(type, of);
    return of;
  }

  /** The class of a type; `undefined` where nobody registered one. */
  get(type: string): AnyClass | undefined {
    return this.#classes.get(type);
  }

  /** The type of an instance: that of its class, or of the next one above that has one. */
  typeOf(instance: object): string | undefined {
    for (
      let prototype = Object.getPrototypeOf(instance) as object | null;
      prototype;
      prototype = Object.getPrototypeOf(prototype) as object | null
    ) {
      for (const [type, of] of this.#classes) if (of.prototype === prototype) return type;
    }
    return undefined;
  }

  /**
   * Make one of a type, with these arguments for its constructor.
   *
   * @throws TypeError for a type that nobody registered
   */
  create(type: string, ...values: unknown[]): object {
    const of = this.#classes.get(type);
    if (!of) throw new TypeError(`there is no type ${type}`);
    return new of(...(values as never[]));
  }

  /**
   * For the `model` of a collection: each record is of the type that one of its attributes says. What it gives throws a `TypeError` for a
   * type that nobody registered.
   */
  byAttribute(attribute: string): (values: Members, options?: object) => object {
    const types = this;
    // Collections look for the prototype of a class, which an arrow function has not.
    return function (values, options) {
      return types.create(String(values[attribute]), values, options);
    };
  }

  /**
   * What something is called, the same each time it is asked, and in each visit: a model by its type and its id, or the one that
   * it will have; a view by its parent's name, its type and its model's id, or where it has none its place among its parent's
   * children of that type, as it was first.
   */
  idOf(instance: object): string {
    const type = this.typeOf(instance) ?? "";
    if ("idAttribute" in instance) return `${type}:${String((instance as { id?: unknown }).id ?? newIdOf(instance))}`;
    const known = names.get(instance);
    if (known !== undefined) return known;
    const { id, model, parent } = instance as { id?: unknown; model?: { id?: unknown }; parent?: object };
    const name = `${parent ? `${this.idOf(parent)}/` : ""}${type}:${String(model?.id ?? id ?? this.#place(instance, parent))}`;
    names.set(instance, name);
    return name;
  }

  #place(instance: object, parent: object | undefined): number {
    const type = this.typeOf(instance);
    const siblings = (parent as { children?: object[] } | undefined)?.children ?? [instance];
    return siblings.filter((one) => this.typeOf(one) === type).indexOf(instance);
  }
}

const names = new WeakMap<object, string>();
const newIds = new WeakMap<object, string>();

/** The id that a model is to have when it is saved. */
export function newIdOf(model: object): string {
  let id = newIds.get(model);
  if (id === undefined) newIds.set(model, (id = randomName()));
  return id;
}
