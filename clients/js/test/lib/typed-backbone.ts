/** What the types promise to who uses Backbone over the package: compiled, not run. */

import Backbone from "backbone";
import { connect } from "backsync";
import {
  attach,
  family,
  Registry,
  SyncTimeout,
  trackedView,
  type Association,
  type CallOptions,
  type Instance,
  type Server,
  type SyncedCollection,
  type SyncedModel,
  type SyncMethod,
} from "backsync/backbone";
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
  await task.fetch("friends", { where: { age: 7 }, limit: 3 });
  await task.fetch({ silent: true });
  task.configure("policy", "merge").query("timeout", false).configure({ live: true });
  tasks.configure("sort", ["-title"]).query("limit", 10).fetch();
  const assoc: { [name: string]: Association } = { owner: "User", friends: ["User"], pets: { to: () => Task, via: "owner" } };
  const Row = trackedView(Backbone.View).extend({ tagName: "tr" });
  console.log(new Row(), backsync.connected(), Backbone.Model.extend(family), assoc);
  attach(Backbone, await openOffline("/", { storage: memory() }), { live: true }).configure({ timeout: 2000 });
  // @ts-expect-error a flag that there is not
  attach(Backbone, connect("/"), { sync: ["pigeon"] });
  // @ts-expect-error a method that nobody binds
  tasks.syncBind("read", () => {});
  // @ts-expect-error a setting that there is not
  task.configure("polcy", "merge");
  // @ts-expect-error a value that it cannot have
  tasks.configure("limit", "ten");
}

export class Own {
  log: [SyncMethod, string][] = [];

  sync = (method: SyncMethod, instance: Instance, options?: CallOptions): void => {
    this.log.push([method, String(instance.modelName)]);
    options?.success?.({} as never);
  };
}

export async function told(server: Server, { method, instance, after }: SyncTimeout): Promise<void> {
  const word: SyncMethod = method;
  await server.delete("Task", { id: "x" }, { policy: "server-wins" });
  console.log(word, instance.toJSON(), after, server.state === "open");
}
