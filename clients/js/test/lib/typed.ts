/** What the types promise to who uses the package: compiled, not run. */

import {
  BacksyncError,
  Collection,
  connect,
  type Address,
  type Change,
  type DeleteOptions,
  type Policy,
  type Source,
  type Stored,
  type Transport,
} from "backsync";
import { indexedDb, openOffline, type Conflict } from "backsync/offline";
import { populated } from "backsync/populate";
import { store } from "backsync/store";

interface Task {
  title: string;
  done: boolean;
  tags?: string[];
}

export async function core(): Promise<void> {
  const client = connect("https://example.com", { token: async () => "t" });
  const tasks: Collection<Task> = client.collection<Task>("Task", { where: { done: false }, sort: (a, b) => a.title.localeCompare(b.title) });
  const made = await tasks.upsert({ title: "sweep" });
  if (made) console.log(made.title.length, made.id.length, made._rev);
  const many: (Stored<Task> | null)[] = await tasks.upsert([{ title: "a" }, { id: "x", done: true }], { policy: "merge", prefer: "client" });
  for (const { title, done } of tasks) console.log(title.length, done, many.length);
  for await (const change of tasks) {
    if (change.type === "upsert") console.log(change.before?.done, change.record.tags?.length);
    else if (change.type === "delete") console.log(change.left);
  }
  tasks.on("upsert", (task, before) => console.log(task.title, before?.title));
  const { data, position } = await client.request<{ id: string }>("Task:read", { id: "x" });
  console.log(data.id, position?.length);
  const { next } = await client.request<Stored<Task>[]>("Task:read", { limit: 10 }, { options: { listen: false } });
  if (next) for (const { title } of await client.read<Task>("Task", { limit: 10, after: next })) console.log(title.length);
  for await (const page of client.pages<Task>("Task", { sort: "title", limit: 10 })) console.log(page[0]?.done);
  // @ts-expect-error pages have a size
  client.pages<Task>("Task", { sort: "title" });
  const policy: Policy = "latest-wins";
  await client.upsert<Task>("Task", { id: 7, done: true }, { policy }).catch((error: unknown) => error instanceof BacksyncError && error.record);
  // @ts-expect-error a member that no task has
  await tasks.upsert({ titel: "sweep" });
  const how: DeleteOptions = { policy: "merge", prefer: "server", base: 3 };
  await tasks.delete("x", { ...how, timeout: 5 });
  // @ts-expect-error what is deleted takes no other's place
  await tasks.delete("x", { replace: true });
  // @ts-expect-error nor does it by the client
  await client.delete("Task", "x", { replace: true });
  // @ts-expect-error a policy that does not exist
  await tasks.upsert({ title: "sweep" }, { policy: "mine" });
  // @ts-expect-error records are the server's
  tasks.records[0] = { id: "x", title: "", done: false };
  // @ts-expect-error there is no such event
  tasks.on("upserted", () => {});
  // @ts-expect-error what is not known of a record has to be looked at
  client.collection("Other").get("x")?.title.length;
}

export function filled(): void {
  interface Shown extends Omit<Task, "tags"> {
    owner: { name: string } | string;
    notes: { text: string }[];
  }
  const tasks = populated(connect("/")).collection<Shown>("Task", { populate: { owner: "User", notes: { model: "Note", via: "task" } }, sort: "-title" });
  for (const { owner, notes } of tasks) console.log(typeof owner === "string" ? owner : owner.name, notes[0]?.text);
  // @ts-expect-error the client alone does not know it
  connect("/").collection<Task>("Task", { populate: { owner: "User" } });
  // @ts-expect-error it has to be said of which model they are
  populated(connect("/")).collection<Task>("Task", { populate: "owner" });
}

export async function offline(): Promise<void> {
  const resolve = ({ local, remote, properties }: Conflict): object => ({ ...remote, ...local, seen: properties.length });
  const client = await openOffline("/base", { storage: indexedDb("tasks"), policy: resolve, policies: { Log: "server-wins" } });
  client.on("refused", (write, error) => console.log(write.model, error.code));
  client.on("trouble", (trouble) => trouble.type === "storage" && console.log(trouble.error.message));
  const tasks = client.collection<Task>("Task");
  store(() => tasks).subscribe((records) => console.log(records[0]?.title));
}

export function way(): Transport {
  const place = ({ ws, query }: Address): string => `${ws}/ws${query}`;
  return { name: "mine", open: (address, { closed }) => ({ send: () => closed(place(address).length), close: () => {} }) };
}

export function own(source: Source<Task>): readonly Change<Stored<Task>>[] {
  const collection = new Collection(source, { sort: "-title" });
  return [{ type: "reset", records: collection.records }];
}
