/** What is said: kept in this browser too, and written when there is a way to the server. */

const { Backbone, backsync } = window;

/**
 * Opens `Messages`, a class of live collections of what is said in a room: `new Messages([], { where: { room } })`. `offline` is the
 * client behind them.
 */
export async function openMessages(server) {
  const storage = backsync.offline.indexedDb("backsync-chat");
  const offline = await backsync.offline.openOffline(server, { storage, reconnect: { first: 250, longest: 5000 } });
  const { Model, Collection } = backsync.backbone.attach(Backbone, offline, { sync: "socket", live: true });
  const Message = Model.extend({ modelName: "ChatMessage" });
  const Messages = Collection.extend({ model: Message, comparator: "at" });
  return { offline, Messages };
}
