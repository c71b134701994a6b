/** Resolves when `holds` does, which is asked at every event of the collection. */
export function until(collection, holds) {
  return new Promise((resolve) => {
    const look = () => {
      if (!holds()) return;
      stop();
      resolve();
    };
    const stop = collection.on("update", look);
    look();
  });
}

/** Resolves to what the next event has. */
export const next = (emitter, name) =>
  new Promise((resolve) => {
    const stop = emitter.on(name, (...values) => {
      stop();
      resolve(values);
    });
  });

/** Resolves when nothing waits for the server any more. */
export async function sent(offline) {
  while (offline.pending > 0) await next(offline, "pending");
}
