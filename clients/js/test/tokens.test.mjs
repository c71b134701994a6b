/** Tokens with a server that knows some, `examples/tokens.rs`, over every way to it. */

import assert from "node:assert/strict";
import { access } from "node:fs/promises";
import { resolve } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { connect } from "backsync";
import { restConnector } from "backsync/connectors";
import { firstLine, start } from "../../../tests/browser/lib/processes.mjs";
import { stands } from "./lib/backbone.mjs";
import { Faulty } from "./lib/faulty.mjs";
import { next, until } from "./lib/until.mjs";
import { WAYS } from "./lib/ways.mjs";

const BINARY = resolve(process.env.BACKSYNC_TOKENS ?? fileURLToPath(new URL("../../../target/debug/examples/tokens", import.meta.url)));

/** A server that knows Ada and Bob; returns where it is. */
async function startServer(t) {
  await access(BINARY).catch(() => {
    throw new Error(`there is no ${BINARY}: run \`cargo build --example tokens\`, or name another one in BACKSYNC_TOKENS`);
  });
  const server = start(t, BINARY, ["127.0.0.1:0", "ada=secret", "ada=renewed", "bob=hidden"]);
  return firstLine(server, server.child.stdout, (line) => /^http:\S+$/.exec(line)?.[0]);
}

for (const [way, transport] of Object.entries(WAYS)) {
  describe(`over ${way}`, () => {
    /** `errors`: codes that the client was told, which no promise tells. */
    async function begin(t, token) {
      const url = await startServer(t);
      const line = new Faulty(transport());
      const client = connect(url, { transports: [line.transport], token, reconnect: { first: 20, longest: 100 } });
      t.after(() => client.close());
      const errors = [];
      client.on("error", ({ code }) => errors.push(code));
      return { url, line, client, errors };
    }
    const write = async (client) => (await client.upsert("Note", { text: "mine" })).by;

    test("who has a token is who it says, and who has none may only read", async (t) => {
      const { url, client, errors } = await begin(t, async () => "secret");
      const notes = client.collection("Note");
      await notes.ready;
      assert.equal(await write(client), "ada");
      const nobody = connect(url, { transports: [transport()] });
      t.after(() => nobody.close());
      await assert.rejects(write(nobody), { code: "forbidden", retry: false });
      assert.deepEqual((await nobody.read("Note")).map(({ by }) => by), ["ada"]);
      assert.deepEqual([notes.size, errors], [1, []]);
    });

    test("a token that nobody has is told, and the next one is tried", async (t) => {
      const tokens = ["wrong", "worse", "hidden"];
      const { client, errors, line } = await begin(t, () => tokens.shift());
      const [error] = await next(client, "error");
      assert.deepEqual([error.code, error.message, client.state === "open"], ["forbidden", "nobody has this token", false]);
      assert.equal(await write(client), "bob", "what was to be said meanwhile is said then");
      assert.deepEqual([errors, tokens, line.opened], [["forbidden", "forbidden"], [], 3]);
    });

    test("a token that cannot be another and is refused is the end", async (t) => {
      const { client, line } = await begin(t, "wrong");
      await assert.rejects(write(client), { code: "forbidden", message: "nobody has this token" });
      assert.deepEqual([client.state, line.opened], ["closed", 1]);
    });

    test("a token that was shown later is shown by the next connection too", async (t) => {
      const { client, line } = await begin(t, "secret");
      await client.authenticate("hidden");
      await assert.rejects(client.authenticate("wrong"), { code: "forbidden" });
      line.cut();
      await stands(client, "waiting");
      assert.equal(await write(client), "bob");
    });

    test("a token is renewed on the connection that there is, and the next connection has the newest", async (t) => {
      let token = "secret";
      const { client, line, errors } = await begin(t, () => token);
      const notes = client.collection("Note");
      assert.equal(await write(client), "ada");
      await client.authenticate("hidden");
      assert.equal(await write(client), "bob");
      await assert.rejects(client.authenticate("wrong"), { code: "forbidden" });
      assert.equal(await write(client), "bob", "and stays who he was");
      token = "renewed";
      await client.authenticate();
      assert.deepEqual([await write(client), line.opened], ["ada", 1]);

      token = "hidden";
      line.down();
      await stands(client, "waiting");
      const written = write(client);
      line.up();
      assert.equal(await written, "bob");
      await until(notes, () => notes.size === 5);
      assert.deepEqual(notes.records.map(({ by }) => by), ["ada", "bob", "bob", "ada", "bob"]);
      const shown = line.sent.flatMap(({ event, data }) => (event === "$session:open" && data?.token ? [data.token] : []));
      assert.deepEqual([shown, errors], [["secret", "hidden"], []]);
    });
  });
}

test("over the HTTP interface, with each request", async (t) => {
  const api = `${await startServer(t)}/api`;
  let token = "secret";
  const notesOf = (headers) => {
    const notes = restConnector(api, { every: false, headers }).collection("Note");
    t.after(() => notes.close());
    return notes;
  };
  const [notes, anonymous] = [notesOf(() => ({ authorization: `Bearer ${token}` })), notesOf({})];
  assert.equal((await notes.upsert({ text: "mine" })).by, "ada");
  token = "hidden";
  assert.equal((await notes.upsert({ text: "mine" })).by, "bob");
  token = "wrong";
  const status = async (init) => (await fetch(`${api}/Note`, init)).status;
  const post = (headers) => status({ method: "POST", body: "{}", headers: { "content-type": "application/json", ...headers } });
  assert.deepEqual([await status({ headers: { authorization: "Bearer wrong" } }), await post({}), await status({})], [401, 403, 200]);
  await assert.rejects(notes.upsert({ text: "mine" }), ({ message }) => message === "nobody has this token");
  await assert.rejects(anonymous.upsert({ text: "mine" }), { code: "forbidden" });
  await anonymous.ready;
});
