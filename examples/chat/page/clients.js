/** The two ways in which this page speaks to its server. */

const { connect, offline } = globalThis.backsync;

/**
 * `kept`: rooms and messages, which are there without a connection and wait for one; its storage is shared by all tabs.
 * `live`: what only matters now, who is here and who is typing. Each tab is somebody of its own there, so that its records go with it.
 */
export async function openClients() {
  const server = location.origin;
  const open = (storage) => offline.openOffline(server, { storage });
  // A browser that keeps nothing, as some do in private windows.
  const kept = await open(offline.indexedDb("chat")).catch(() => open(offline.memory()));
  return { kept, live: connect(server) };
}
