/** What attributes of Backbone's models lead to. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "backsync";
import { attach, Registry } from "backsync/backbone";
import { memoryConnector } from "backsync/connectors";
import { becomes, freshBackbone, heard, own, setUp, stands } from "./lib/backbone.mjs";
import { Scripted, settled } from "./lib/scripted.mjs";

/** People, who have a spouse, friends and pets. */
async function people(t, { options } = {}) {
  const base = await setUp(t, { options });
  const { Model, Collection, registry } = base.backsync;
  const Pet = registry.register("Pet", Model.extend({ modelName: "Pet" }));
  const User = registry.register(
    "User",
    Model.extend({ modelName: "User", assoc: { spouse: () => User, friends: ["User"], pets: { to: ["Pet"], via: "owner" } } }),
  );
  const Users = Collection.extend({ model: User });
  await base.somebody.upsert("User", [
    { id: "jack", name: "Jack", spouse: "jane", friends: ["joe", "jill"] },
    { id: "jane", name: "Jane", spouse: "jack" },
    { id: "joe", name: "Joe" },
    { id: "jill", name: "Jill" },
  ]);
  await base.somebody.upsert("Pet", [{ id: "rex", owner: "jack" }, { id: "tom", owner: "jack" }, { id: "ida", owner: "jane" }]);
  return { ...base, User, Users, Pet };
}

for (const sync of ["socket", "ajax"]) {
  test(`references are filled in where that is asked, by ${sync}`, async (t) => {
    const { backsync, User, Users, somebody } = await people(t, { options: { sync } });
    const names = (model) => [model.get("spouse")?.name ?? model.get("spouse"), model.get("friends").map((friend) => friend.name ?? friend)];
    const jack = new User({ id: "jack" });
    await jack.fetch();
    assert.deepEqual(names(jack), ["jane", ["joe", "jill"]]);
    await jack.fetch({ populate: "spouse friends" });
    assert.deepEqual(names(jack), ["Jane", ["Joe", "Jill"]]);
    await jack.populate(["friends"]).fetch();
    assert.deepEqual(names(jack), ["jane", ["Joe", "Jill"]]);
    await jack.fetch({ populate: "spouse pets" });
    assert.deepEqual([jack.get("spouse").name, jack.get("pets").map(({ id }) => id)], ["Jane", ["rex", "tom"]], "of whoever keeps the link");
    await jack.fetch({ populate: { spouse: true, friends: { where: { name: { $prefix: "J" } }, sort: "name", limit: 1 }, pets: { sort: "-id" } } });
    assert.deepEqual([names(jack), jack.get("pets").map(({ id }) => id)], [["Jane", ["Jill"]], ["tom", "rex"]]);
    await jack.save({ age: 50 });
    const [stored] = await somebody.read("User", { ids: ["jack"] });
    assert.deepEqual([jack.get("pets").length, "pets" in stored], [2, false], "nor kept by him");
    assert.deepEqual([stored.age, stored.spouse, stored.friends], [50, "jane", ["joe", "jill"]], "those that were not looked for stay his friends");
    await jack.fetch({ populate: { spouse: { where: { name: "Jill" } }, friends: { limit: 1 }, pets: { limit: 1, populate: "owner" } } });
    assert.deepEqual([names(jack), jack.get("pets").map(({ owner }) => owner.name)], [["jane", ["Joe"]], ["Jack"]]);
    await jack.fetch({ populate: false });
    assert.deepEqual(names(jack), ["jane", ["joe", "jill"]]);
    backsync.configure({ populate: "spouse" });
    const users = new Users();
    await users.fetch({ data: { ids: ["jack", "jane"] } });
    assert.deepEqual(users.map((user) => user.get("spouse").name), ["Jane", "Jack"]);
    const made = new User({ name: "Jim", spouse: "joe" });
    await made.save();
    assert.equal(made.get("spouse").name, "Joe", "an answer to a write too");
  });

  test(`what an attribute leads to is a model or a collection, by ${sync}`, async (t) => {
    const { User, Users, Pet, client } = await people(t, { options: { sync } });
    const jack = new User({ id: "jack" });
    await jack.fetch({ populate: "spouse,friends" });
    const jane = jack.get("spouse", true);
    assert.ok(jane instanceof User && jane.get("name") === "Jane");
    jane.set("name", "Janet");
    assert.equal(jack.get("spouse", true), jane, "the same each time");
    assert.equal(jane.get("name"), "Janet", "and it is left as it is");
    const friends = jack.get("friends", true);
    assert.deepEqual([friends.pluck("name"), friends.at(0) instanceof User], [["Joe", "Jill"], true]);
    assert.equal(jack.get("nickname"), undefined);
    assert.throws(() => jack.get("name", true), TypeError);
    const unread = new User({ id: "jack" });
    assert.equal(unread.get("spouse", true), undefined);
    assert.equal((await unread.fetch("spouse")).get("name"), "Jane");
    assert.deepEqual((await unread.fetch("friends", { where: { name: "Joe" } })).pluck("id"), ["joe"]);
    const pets = await unread.fetch("pets");
    assert.deepEqual([pets.pluck("id"), pets.at(0) instanceof Pet, unread.has("spouse")], [["rex", "tom"], true, false]);
    assert.ok(Users && client);
  });

  test(`one that others keep is led to, by ${sync}`, async (t) => {
    const { backsync, somebody } = await people(t, { options: { sync } });
    const User = backsync.Model.extend({ modelName: "User", assoc: { pass: { to: "Pass", via: "holder" }, spouse: "User" } });
    await somebody.upsert("Pass", [{ id: "p1", holder: "jackson" }, { id: "p2", holder: "jack", n: 7 }]);
    const [jack, joe] = [new User({ id: "jack" }), new User({ id: "joe" })];
    assert.equal(jack.get("pass", true), undefined);
    await jack.fetch({ populate: "pass" });
    assert.deepEqual([jack.get("pass").n, jack.get("pass", true).get("n")], [7, 7]);
    assert.equal((await jack.fetch("pass")).get("n"), 7);
    for (const name of ["pass", "spouse"]) await assert.rejects(async () => joe.fetch(name), { code: "not_found" });
    await joe.fetch({ populate: "pass" });
    assert.equal(joe.get("pass"), null);
  });

  test(`others are added and removed, by ${sync}`, async (t) => {
    const { User, Pet, somebody } = await people(t, { options: { sync } });
    const jack = new User({ id: "jack" });
    assert.throws(() => new User().addTo("friends", "joe"), /new/);
    assert.throws(() => jack.addTo("spouse", "joe"), /many/);
    const data = await jack.addTo("friends", { name: "Jim" });
    const jules = new User({ name: "Jules" });
    await jack.addTo("friends", jules);
    await jack.addTo("friends", "jane");
    await jack.addTo("friends", "jane");
    assert.deepEqual([data.name, jules.isNew()], ["Jim", false]);
    const rover = new Pet({ id: "rover" });
    await rover.save();
    await jack.addTo("pets", rover);
    await jack.removeFrom("pets", "rex");
    await jack.removeFrom("friends", new User({ id: "joe" }));
    await jack.removeFrom("friends", "nobody");
    await jack.removeFrom("pets", "nobody");
    for (const name of ["friends", "pets"]) {
      await assert.rejects(jack.addTo(name, "nobody"), (error) => error.code === "not_found" || error.status === 404);
    }
    const wanted = ["jill", data.id, jules.id, "jane"];
    const [{ friends }] = await somebody.read("User", { ids: ["jack"] });
    assert.deepEqual([friends, jack.get("friends")], [wanted, wanted], "the model follows");
    const pets = await somebody.read("Pet", { where: { owner: "jack" } });
    assert.deepEqual(pets.map(({ id }) => id), ["tom", "rover"]);
    assert.equal((await somebody.read("User", { ids: ["joe"] })).length, 1, "nobody is deleted");
  });

  test(`a new record within a new record is made too, by ${sync}`, async (t) => {
    const { User, somebody } = await people(t, { options: { sync } });
    const jim = new User({ name: "Jim", spouse: { name: "June" }, friends: ["joe", { name: "Jon" }], pets: [{ name: "Rover" }] });
    await jim.populate("spouse").save();
    const june = jim.get("spouse", true);
    const [stored] = await somebody.read("User", { ids: [jim.id] });
    assert.deepEqual([stored.spouse, june.get("name"), jim.get("spouse").name], [june.id, "June", "June"]);
    const friends = await somebody.read("User", { ids: stored.friends });
    assert.deepEqual(friends.map(({ name }) => name), ["Joe", "Jon"]);
    assert.deepEqual((await somebody.read("Pet", { where: { owner: jim.id } })).map(({ name }) => name), ["Rover"]);
    await jim.save({ name: "Jimmy" });
    assert.equal((await somebody.read("User", { ids: [jim.id] }))[0].spouse, june.id, "what was filled in is written as its id");
  });
}

test("who was filled in is heard of, and what happens to links", async (t) => {
  const { User, Users, somebody, client } = await people(t);
  const jack = new User({ id: "jack" }, { populate: "spouse" });
  await jack.fetch();
  const jane = jack.get("spouse", true);
  const said = [];
  for (const model of [jane, jack]) {
    model.on("all", (event, of, ...more) => /^(updated|addedTo|removedFrom|destroyed)/.test(event) && said.push([event, of.id, ...more.slice(0, -1)]));
  }
  await somebody.upsert("User", { id: "jane", spouse: null });
  await heard(client, somebody, "User");
  await somebody.upsert("User", { id: "jack", friends: ["jill", "jane"] });
  await heard(client, somebody, "User");
  await somebody.delete("User", "jane");
  await heard(client, somebody, "User");
  const friends = ["jill", "jane"];
  assert.deepEqual(said, [
    ["updated:spouse", "jane", null],
    ["removedFrom:spouse", "jane", "jack"],
    ["removedFrom", "jane"],
    ["updated", "jane"],
    ["updated:friends", "jack", friends],
    ["addedTo:friends", "jack", "jane"],
    ["addedTo", "jack"],
    ["removedFrom:friends", "jack", "joe"],
    ["removedFrom", "jack"],
    ["updated", "jack"],
    ["destroyed", "jane"],
  ]);
  assert.deepEqual([jack.get("friends"), jack.get("spouse").name], [["joe", "jill"], "Jane"], "and nothing is changed by itself");
  assert.ok(Users);
});

test("what is live stays filled in while it leads to the same", async (t) => {
  const { User, somebody, client } = await people(t, { options: { live: true, populate: "spouse" } });
  const jack = new User({ id: "jack" });
  await jack.fetch();
  await somebody.upsert("User", { id: "jack", name: "Jacky" });
  await heard(client, somebody, "User");
  assert.deepEqual([jack.get("name"), jack.get("spouse").name], ["Jacky", "Jane"]);
  await somebody.upsert("User", { id: "jack", spouse: "jill" });
  await becomes(jack, () => jack.get("spouse").name === "Jill");
  const jill = jack.get("spouse", true);
  assert.deepEqual(own(jill), { id: "jill", name: "Jill" });
});

test("what is live is populated with what is so now", async (t) => {
  const { User, Users, backsync, somebody, client, way } = await people(t, { options: { live: true } });
  const users = new Users([], { where: { id: { $in: ["jack", "joe"] } }, populate: "spouse.spouse friends pets" });
  await users.fetch();
  const jack = users.get("jack");
  const told = [];
  users.on("all", (event, model) => told.push(event === "update" || event === "sync" ? event : `${event} ${model.id}`));
  users.syncBind("upsert", ({ id, spouse }) => told.push(`bound ${id} ${spouse}`));
  const shown = () => [jack.get("spouse"), jack.get("friends"), jack.get("pets")].flat().map((one) => one?.name ?? one?.id ?? one);
  assert.deepEqual([shown(), jack.get("spouse").spouse.name], [["Jane", "Joe", "Jill", "rex", "tom"], "Jack"]);

  await somebody.upsert("User", { id: "jane", name: "Janet" });
  await becomes(jack, () => shown()[0] === "Janet");
  await somebody.upsert("Pet", [{ id: "rex", owner: "jane" }, { id: "ida", owner: "jack", name: "Ida" }]);
  await becomes(jack, () => shown().at(-1) === "Ida");
  assert.deepEqual([...new Set(told.splice(0))].sort(), ["change jack", "change:pets jack", "change:spouse jack"], "of himself there is no news");
  assert.deepEqual(shown(), ["Janet", "Joe", "Jill", "tom", "Ida"]);

  await somebody.upsert("User", { id: "jack", friends: ["jill", "jane"] });
  await becomes(jack, () => shown()[2] === "Janet");
  assert.ok(told.includes("bound jack jane") && told.includes("addedTo:friends jack") && told.includes("removedFrom:friends jack"));
  await somebody.delete("User", "jill");
  await becomes(jack, () => shown()[1] === "jill");

  const seen = new Set();
  jack.on("change", () => seen.add(shown().join()));
  await jack.save({ name: "Jacky" });
  await jack.save({ age: 50 }, { patch: true });
  await heard(client, somebody, "User");
  assert.deepEqual([...seen], ["Janet,jill,Janet,tom,Ida"], "what is shown stays");
  await becomes(jack, () => jack.get("spouse").spouse.name === "Jacky");
  const [stored] = await somebody.read("User", { ids: ["jack"] });
  assert.deepEqual([stored.name, stored.age, stored.spouse, stored.friends], ["Jacky", 50, "jane", ["jill", "jane"]]);

  await somebody.upsert("User", { id: "june", name: "June" });
  await somebody.upsert("User", { id: "joe", spouse: "june" });
  await users.fetch();
  assert.equal(users.get("joe").get("spouse").name, "June", "what is read is whole");
  way.down();
  await stands(client, "waiting");
  await somebody.upsert("User", [{ id: "june", name: "Juno" }, { id: "jack", spouse: "june" }]);
  way.up();
  await becomes(users, () => shown()[0] === "Juno" && users.get("joe").get("spouse").name === "Juno");
  await jack.addTo("friends", "joe");
  assert.equal(jack.get("friends").at(-1).name, "Joe", "it goes on to be shown");
  await jack.fetch();
  assert.equal(jack.get("friends").at(-1).name, "Joe");
  await somebody.upsert("User", { id: "joe", name: "Joseph" });
  await becomes(jack, () => jack.get("friends").at(-1).name === "Joseph");
  await jack.fetch({ populate: false });
  assert.equal(jack.get("friends").at(-1), "joe", "until somebody says otherwise");
  users.stopListening();
  assert.ok(User && backsync);
});

test("who reads gets what is so now, with those that it leads to", async (t) => {
  const server = new Scripted();
  const client = connect("http://server", { transports: [server.transport] });
  t.after(() => client.close());
  const { Model } = attach(freshBackbone(), client, { sync: "socket", live: true, populate: "spouse" });
  const User = Model.extend({ modelName: "User", assoc: { spouse: () => User } });
  const answer = async (ids, data) => {
    while (!server.link?.sent.some(({ data }) => String(data?.ids) === ids)) await settled();
    server.link.say({ id: server.link.sent.findLast(({ data }) => String(data?.ids) === ids).id, data, position: "p" });
    await settled();
  };
  const joe = new User({ id: "joe" });
  const first = joe.fetch();
  await answer("joe", [{ id: "joe", _rev: 1 }]);
  await first;
  server.link.say({ event: "User:upsert", data: { id: "joe", spouse: "june", _rev: 2 }, position: "q" });
  const seen = joe.fetch().then(() => joe.get("spouse"));
  await answer("", []);
  assert.equal(joe.get("spouse"), undefined);
  await answer("june", [{ id: "june", name: "June" }]);
  assert.deepEqual(await seen, { id: "june", name: "June" });
});

test("those that are looked for are those that match now", async (t) => {
  const { User, somebody } = await people(t, { options: { live: true } });
  await somebody.upsert("User", [{ id: "joe", age: 40 }, { id: "jill", age: 60 }, { id: "jane", age: 50 }, { id: "jack", friends: ["joe", "jill", "jane"] }]);
  const jack = new User({ id: "jack" });
  const populate = {
    friends: { where: { age: { $gt: 45 } }, sort: "age", limit: 2 },
    pets: { where: { id: { $ne: "tom" } } },
    spouse: { where: { age: { $gt: 70 } } },
  };
  await jack.fetch({ populate });
  const shown = () => ["friends", "pets", "spouse"].map((name) => [jack.get(name)].flat().map((one) => one.id ?? one).join());
  assert.deepEqual(shown(), ["jane,jill", "rex", "jane"]);
  await somebody.upsert("User", { id: "joe", age: 55 });
  await becomes(jack, () => shown()[0] === "jane,joe");
  await somebody.upsert("Pet", { id: "max", owner: ["jill", "jack"] });
  await becomes(jack, () => shown()[1] === "rex,max");
  assert.equal(jack.get("spouse"), "jane");
  await somebody.upsert("User", { id: "jane", age: 80 });
  await becomes(jack, () => jack.get("spouse").age === 80);
  const seen = [];
  jack.on("change:friends", () => seen.push(shown()[0]));
  await jack.save({ name: "Jacky" });
  const [stored] = await somebody.read("User", { ids: ["jack"] });
  assert.deepEqual([stored.friends, seen], [["joe", "jill", "jane"], []], "none is lost that is not shown");
  await somebody.upsert("User", { id: "joe", age: 90 });
  await becomes(jack, () => shown()[0] === "jill,jane");
  await jack.removeFrom("friends", "jill");
  await becomes(jack, () => shown()[0] === "jane,joe");
  await somebody.upsert("User", { id: "joe", age: 1 });
  await becomes(jack, () => shown()[0] === "jane");
});

test("a write that is refused leaves what is shown", async (t) => {
  const { Users, somebody, client } = await people(t, { options: { live: true, policy: "server-wins" } });
  const users = new Users([], { populate: "spouse" });
  await users.fetch();
  const jack = users.get("jack");
  await jack.save({ name: "Jacky" });
  const { _rev } = jack.attributes;
  await jack.save({ age: 1 });
  const seen = [];
  jack.on("change:spouse", () => seen.push(jack.get("spouse")?.name ?? jack.get("spouse")));
  await assert.rejects(async () => jack.save({ name: "John", spouse: "joe", _rev }), { code: "conflict" });
  await heard(client, somebody, "User");
  assert.deepEqual([jack.get("name"), jack.get("spouse").name, seen], ["Jacky", "Jane", ["joe", "Jane"]]);
});

test("references that no class knows are filled in by the server, and stay as they were read", async (t) => {
  const { backsync, somebody, client } = await people(t, { options: { live: true } });
  const Plain = backsync.Model.extend({ modelName: "User" });
  const jack = new Plain({ id: "jack" }, { populate: "spouse" });
  await jack.fetch();
  assert.equal(jack.get("spouse").name, "Jane");
  await somebody.upsert("User", [{ id: "jane", name: "Janet" }, { id: "jack", age: 1 }]);
  await heard(client, somebody, "User");
  assert.deepEqual([jack.get("spouse").name, jack.get("age")], ["Jane", 1]);
});

test("what is live is populated without a server too", async (t) => {
  const Backbone = freshBackbone();
  const connector = memoryConnector({ User: [{ id: "jack", spouse: "jane" }, { id: "jane", name: "Jane" }], Pet: [{ id: "rex", owner: "jack" }] });
  const { Model } = attach(Backbone, connector, { sync: "socket", live: true });
  const User = Model.extend({ modelName: "User", assoc: { spouse: () => User, pets: { to: ["Pet"], via: "owner" } } });
  const [jack, jane] = [new User({ id: "jack" }, { populate: "spouse pets" }), new User({ id: "jane" })];
  t.after(() => [jack, jane].forEach((one) => one.stopListening()));
  await jack.fetch();
  await jane.fetch();
  assert.deepEqual([jack.get("spouse").name, jack.get("pets").map(({ id }) => id)], ["Jane", ["rex"]]);
  await jane.save({ name: "Janet" });
  assert.equal(jack.get("spouse").name, "Janet");
});

/** What is asked of the server about a model, as `read` and `unsubscribe`. */
const asked = (way, model) => way.sent.flatMap(({ event, data, options }) => (event.startsWith(`${model}:`) && data?.where && options?.listen !== false ? [event.slice(model.length + 1)] : []));

test("links that others keep are told where somebody wants to know", async (t) => {
  const { User, Users, Pet, Backbone, somebody, client, way } = await people(t);
  const jack = new User({ id: "jack" });
  await jack.fetch();
  const view = { ...Backbone.Events };
  const said = [];
  const say = (event) => (model, ...more) => said.push([event, model.id, ...more.map((one) => (typeof one === "object" ? one.owner : one))]);
  jack.on("updated:name", say("updated"));
  await heard(client, somebody, "User");
  assert.deepEqual(asked(way, "Pet"), [], "nobody wants to know");
  view.listenTo(jack, "addedTo:pets", say("addedTo:pets"));
  view.listenTo(jack, "removedFrom", say("removedFrom"));
  await heard(client, somebody, "Pet");
  assert.deepEqual([asked(way, "Pet"), said], [["read"], []], "what there was is no news");

  await somebody.upsert("Pet", [{ id: "tom", owner: "jane" }, { id: "max", owner: "jack" }, { id: "may", owner: ["jill", "jack"] }, { id: "bob", owner: "jackson" }]);
  await somebody.upsert("Pet", { id: "max", name: "Max" });
  await somebody.delete("Pet", "rex");
  await new Pet({ id: "mia", owner: "jack" }).save();
  await heard(client, somebody, "Pet");
  assert.deepEqual(said.splice(0), [
    ["removedFrom", "jack", "jack"],
    ["addedTo:pets", "jack", "max", "jack"],
    ["addedTo:pets", "jack", "may", ["jill", "jack"]],
    ["removedFrom", "jack", "jack"],
    ["addedTo:pets", "jack", "mia", "jack"],
  ]);
  way.down();
  await stands(client, "waiting");
  await somebody.upsert("Pet", { id: "zoe", owner: "jack" });
  await somebody.delete("Pet", "max");
  way.up();
  await stands(client, "open");
  await heard(client, somebody, "Pet");
  assert.deepEqual(said.splice(0).map(([event, , id]) => [event, id]).sort(), [["addedTo:pets", "zoe"], ["removedFrom", "jack"]], "and what was missed");

  view.stopListening();
  await heard(client, somebody, "Pet");
  assert.equal(asked(way, "Pet").at(-1), "unsubscribe");
  await somebody.upsert("Pet", { id: "zed", owner: "jack" });
  await heard(client, somebody, "Pet");
  assert.deepEqual(said, []);
  assert.ok(Users);
});

test("a collection tells of the links of its models, while they are its own", async (t) => {
  const { User, Users, somebody, client, way } = await people(t, { options: { live: true } });
  const users = new Users([], { where: { age: { $gt: 1 } } });
  const said = [];
  users.on("addedTo:pets removedFrom:pets", (model, id) => said.push(`${model.id} ${id}`));
  await somebody.upsert("User", { id: "jane", age: 30 });
  await users.fetch();
  await somebody.upsert("User", { id: "jack", age: 40 });
  await becomes(users, () => users.get("jack"));
  await heard(client, somebody, "Pet");
  await somebody.upsert("Pet", { id: "tom", owner: "jane" });
  await heard(client, somebody, "Pet");
  assert.deepEqual(said.splice(0).sort(), ["jack tom", "jane tom"]);
  await somebody.upsert("User", { id: "jack", age: 0 });
  await becomes(users, () => !users.get("jack"));
  const jill = users.create({ id: "jill", age: 3 });
  await heard(client, somebody, "Pet");
  await somebody.upsert("Pet", [{ id: "ida", owner: "jack" }, { id: "rex", owner: "jill" }]);
  await heard(client, somebody, "Pet");
  assert.deepEqual(said.splice(0).sort(), ["jane ida", "jill rex"], "those that it has now");
  users.stopListening();
  await heard(client, somebody, "Pet");
  const sent = asked(way, "Pet");
  assert.deepEqual(["read", "unsubscribe"].map((event) => sent.filter((one) => one === event).length), [3, 3]);
  await somebody.upsert("Pet", { id: "sam", owner: "jill" });
  await users.fetch();
  await heard(client, somebody, "Pet");
  await somebody.upsert("Pet", { id: "zoe", owner: "jill" });
  await heard(client, somebody, "Pet");
  assert.deepEqual(said.splice(0), ["jill zoe"], "who reads anew hears anew");
  users.stopListening();
  users.on("addedTo:pets", () => said.push("again"));
  await heard(client, somebody, "Pet");
  await somebody.upsert("Pet", { id: "zed", owner: "jill" });
  await heard(client, somebody, "Pet");
  assert.deepEqual(said, ["jill zed", "again"], "and so does who is bound anew");
  assert.ok(User && jill);
});

test("who asked for what others keep is told of it, until it is gone", async (t) => {
  const { User, somebody, client, way } = await people(t);
  for (const ask of [(jack) => jack.get("pets", true), (jack) => jack.fetch("pets")]) {
    const jack = new User({ id: "jack" });
    await jack.fetch();
    const said = [];
    jack.on("all", (event, model, id) => /^(addedTo|removedFrom):/.test(event) && said.push(`${event} ${id}`));
    const pets = await ask(jack);
    await heard(client, somebody, "Pet");
    await somebody.upsert("Pet", { id: "max", owner: "jack" });
    await jack.addTo("pets", "ida");
    await jack.removeFrom("pets", "max");
    await heard(client, somebody, "Pet");
    assert.deepEqual(said.splice(0), ["addedTo:pets max", "addedTo:pets ida", "removedFrom:pets max"]);
    pets.stopListening();
    await somebody.upsert("Pet", { id: "ida", owner: "jane" });
    await heard(client, somebody, "Pet");
    assert.deepEqual(said.splice(0), ["removedFrom:pets ida"]);
    jack.unsubscribe();
    await heard(client, somebody, "Pet");
    assert.equal(asked(way, "Pet").at(-1), "unsubscribe");
    await somebody.upsert("Pet", { id: "max", owner: "jack" });
    await heard(client, somebody, "Pet");
    assert.deepEqual(said, []);
    await somebody.delete("Pet", "max");
  }
});

test("a model that is new hears of links when it is there, and no more when it is gone", async (t) => {
  const { User, somebody, client, way } = await people(t);
  const jim = new User({ name: "Jim" });
  const said = [];
  jim.on({ "addedTo:pets": (model, id) => said.push(id) });
  await heard(client, somebody, "Pet");
  assert.deepEqual(asked(way, "Pet"), []);
  await jim.save();
  await heard(client, somebody, "Pet");
  await somebody.upsert("Pet", { id: "ida", owner: jim.id });
  await heard(client, somebody, "Pet");
  assert.deepEqual(said, ["ida"]);
  await jim.destroy();
  await heard(client, somebody, "Pet");
  assert.deepEqual(asked(way, "Pet"), ["read", "unsubscribe"]);
});

test("links that two set at once are both there", async (t) => {
  const { User, somebody } = await people(t);
  const jack = [new User({ id: "jack" }), new User({ id: "jack" })];
  const ids = Array.from({ length: 6 }, (_, at) => `f${at}`);
  await somebody.upsert("User", ids.map((id) => ({ id })));
  await Promise.all(ids.map((id, at) => jack[at % 2].addTo("friends", id)));
  const [{ friends }] = await somebody.read("User", { ids: ["jack"] });
  assert.deepEqual(friends.toSorted(), ["f0", "f1", "f2", "f3", "f4", "f5", "jill", "joe"]);
});

test("a registry knows which class has a name", () => {
  const registry = new Registry();
  class One {}
  class Two extends One {}
  assert.equal(registry.register("One", One), One);
  assert.throws(() => registry.register("One", Two), TypeError);
  assert.throws(() => registry.create("Two"), TypeError);
  assert.deepEqual([registry.typeOf(new Two()), registry.get("One"), registry.create("One") instanceof One], ["One", One, true]);
});
