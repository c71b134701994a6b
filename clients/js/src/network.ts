/** What the platform knows of the network, where it tells: pages and workers do, Node does not. */

type Scope = Partial<Pick<typeof globalThis, "addEventListener" | "removeEventListener">>;

/** Hear when the network goes and comes back; the function returned ends it. */
export function watchNetwork(heard: (isThere: boolean) => void): () => void {
  const scope: Scope = globalThis;
  const came = (): void => heard(true);
  const went = (): void => heard(false);
  scope.addEventListener?.("online", came);
  scope.addEventListener?.("offline", went);
  return () => {
    scope.removeEventListener?.("online", came);
    scope.removeEventListener?.("offline", went);
  };
}
