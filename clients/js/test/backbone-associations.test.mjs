/** What attributes of Backbone's models lead to. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Registry } from "backsync/backbone";
import { happens, heard, own, setUp } from "./lib/backbone.mjs";

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
    await jack.fetch({ populate: { spouse: true, friends: { where: { name: { $prefix: "J" } }, sort: "name", limit: 1 }, pets: { sort: "-id" } } });
    assert.deepEqual([names(jack), jack.get("pets").map(({ id }) => id)], [["Jane", ["Jill"]], ["tom", "rex"]]);
    await jack.save();
    assert.deepEqual([jack.get("pets").length, "pets" in (await somebody.read("User", { ids: ["jack"] }))[0]], [2, false], "nor kept by him");
    await somebody.upsert("User", { id: "jack", spouse: "jane", friends: ["joe", "jill"] });
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
    const jim = new User({ name: "Jim", spouse: { name: "June" }, friends: ["joe", { name: "Jon" }] });
    await jim.populate("spouse").save();
    const june = jim.get("spouse", true);
    const [stored] = await somebody.read("User", { ids: [jim.id] });
    assert.deepEqual([stored.spouse, june.get("name"), jim.get("spouse").name], [june.id, "June", "June"]);
    const friends = await somebody.read("User", { ids: stored.friends });
    assert.deepEqual(friends.map(({ name }) => name), ["Joe", "Jon"]);
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
  await heard(client, somebody, "User");
  assert.equal(jack.get("spouse"), "jill");
  const jill = jack.get("spouse", true);
  await happens(jill, "change:name");
  assert.deepEqual(own(jill), { id: "jill", name: "Jill" });
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
