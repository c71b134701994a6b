/** What the types promise to who uses Backbone over the package: compiled, not run. */

import Backbone from "backbone";
import { connect } from "backsync";
import { attach, family, Registry, trackedView, type Association, type SyncedCollection, type SyncedModel } from "backsync/backbone";
import { memory, openOffline } from "backsync/offline";

export async function typed(): Promise<void> {
  const registry = new Registry();
  const backsync = attach(Backbone, connect("/"), { sync: ["socket"], populate: { friends: { limit: 3 } }, registry });
  class Task extends backsync.Model<{ title: string }> {}
  const Tasks = backsync.Collection.extend({ modelName: "Task", model: Task });
  const tasks = new Tasks() as Backbone.Collection & SyncedCollection;
  tasks.syncBind("upsert", (record) => console.log(record.id.length)).populate("owner");
  const task = new Task({ title: "sweep" }) as Task & SyncedModel;
  task.update("title", "rest");
  const assoc: { [name: string]: Association } = { owner: "User", friends: ["User"], pets: { to: () => Task, via: "owner" } };
  const Row = trackedView(Backbone.View).extend({ tagName: "tr" });
  console.log(new Row(), backsync.connected(), Backbone.Model.extend(family), assoc);
  attach(Backbone, await openOffline("/", { storage: memory() }), { live: true }).configure({ timeout: 2000 });
  // @ts-expect-error a flag that there is not
  attach(Backbone, connect("/"), { sync: ["pigeon"] });
  // @ts-expect-error a method that nobody binds
  tasks.syncBind("read", () => {});
}
