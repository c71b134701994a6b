/** Who wants to hear what. */

/** The names of events, with the values that their handlers get, as a type: `{ state: [state: string] }`. */
export type EventTypes = { [name: string]: readonly unknown[] };

type Handler<Arguments extends readonly unknown[]> = (...values: [...Arguments]) => void;

/**
 * Hands events to their handlers, in the order in which these came. A handler that throws keeps nobody else from hearing:
 * its error is thrown where the platform reports errors that nobody caught.
 */
export class Emitter<Events extends EventTypes> {
  #handlers = new Map<keyof Events, Set<Handler<never>>>();

  /** Call `handler` from now on; the function returned ends that. */
  on<Name extends keyof Events>(name: Name, handler: Handler<Events[Name]>): () => void {
    let handlers = this.#handlers.get(name);
    if (!handlers) this.#handlers.set(name, (handlers = new Set()));
    // A function may be registered twice, and each registration ends by itself.
    const own: Handler<Events[Name]> = (...values) => handler(...values);
    handlers.add(own as Handler<never>);
    return () => void handlers.delete(own as Handler<never>);
  }

  /** Call everybody who wants to hear of it, in the order in which they came. */
  emit<Name extends keyof Events>(name: Name, ...values: Events[Name]): void {
    for (const handler of [...(this.#handlers.get(name) ?? [])]) {
      try {
        (handler as Handler<Events[Name]>)(...values);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
