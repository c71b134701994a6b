/** The two ways in which this page speaks to its server. */

const { connect, offline } = globalThis.backsync;

/**
 * `kept`: rooms and messages, which are there without a connection and wait for one; its storage is shared by all tabs.
 * `isKept`: whether that storage lasts. `live`: what only matters now, who is here and who is typing. Each tab is somebody of its own there, so that its records go with it.
 */
export async function openClients() {
  const server = location.origin;
  const open = (storage) => offline.openOffline(server, { storage });
  // Some browsers keep nothing in private windows.
  let isKept = true;
  const kept = await open(offline.indexedDb("chat")).catch(() => {
    isKept = false;
    return open(offline.memory());
  });
  return { kept, isKept, live: connect(server) };
}
