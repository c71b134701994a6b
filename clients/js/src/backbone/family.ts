/**
 * Parents and children: each knows the other, and neither of one that is gone. For models, and for views, which go with their
 * parents.
 */

/** What a class gets by {@link family} or {@link trackedView}. */
export interface Related {
  /** Whose child it is. */
  parent?: Related | undefined;
  /** Its children, in the order in which they came; none before the first. */
  readonly children?: Related[];
  /** Make `child` this one's, and no other's; it is returned. */
  addChild<T extends object>(child: T): T;
  /** It is this one's child no more. It may be so already. */
  removeChild(child: object): this;
}

interface Member extends Related {
  children?: Related[];
  listenTo?(other: unknown, event: string, handler: typeof gone): unknown;
  stopListening?(other?: unknown, event?: string, handler?: typeof gone): unknown;
}

function gone(this: Related, child: object): void {
  this.removeChild(child);
}

/**
 * Methods for the prototype of a class of models or views: `Backbone.Model.extend(family)`. What an instance has then is {@link Related}.
 */
export const family = {
  /**
   * Make `child` this one's, and no other's. A child that is destroyed is its child no more.
   *
   * @throws TypeError where it is itself, or one of its parents
   */
  addChild<T extends object>(this: object, child: T): T {
    const [parent, added] = [this as Member, child as unknown as Member];
    if (added.parent === parent) return child;
    for (let one: Related | undefined = parent; one; one = one.parent)
      if (one === added) throw new TypeError("nobody is a child of their own");
    added.parent?.removeChild(added);
    added.parent = parent;
    (parent.children ??= []).push(added);
    // A model that is gone says so; a view removes itself.
    if ("idAttribute" in added) parent.listenTo?.(added, "destroy", gone);
    return child;
  },

  /** It is this one's child no more. It may be so already. */
  removeChild(this: object, child: object): object {
    const [parent, removed] = [this as Member, child as Member];
    const at = parent.children?.indexOf(removed) ?? -1;
    if (at < 0) return this;
    parent.children!.splice(at, 1);
    removed.parent = undefined;
    if ("idAttribute" in removed) parent.stopListening?.(removed, "destroy", gone);
    return this;
  },
};

interface ViewLike {
  readonly prototype: object;
  extend(properties: object): unknown;
}

/**
 * A class of views that keeps track of its children: `new Row({ parent: table })` or `table.addChild(row)`. A view that is
 * removed removes its children first, and is its parent's child no more.
 */
export function trackedView<T>(of: T): T {
  const { prototype, extend } = of as T & ViewLike;
  const { preinitialize, remove } = prototype as { preinitialize?: (...values: unknown[]) => void; remove: () => unknown };
  return extend.call(of, {
    ...family,
    preinitialize(this: Member, options?: { parent?: Related }) {
      this.children = [];
      options?.parent?.addChild(this);
      preinitialize?.call(this, options);
    },
    remove(this: Related) {
      for (const child of [...(this.children ?? [])]) (child as unknown as { remove(): void }).remove();
      this.parent?.removeChild(this);
      return remove.call(this);
    },
  }) as T;
}
