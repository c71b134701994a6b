/** Several nodes, and before them a balancer without a memory: each request goes to the next one. */

import { access, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { Agent, createServer, request } from "node:http";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { cleanUp } from "../../browser/lib/cleanup.mjs";
import { firstLine, start } from "../../browser/lib/processes.mjs";

const BINARY = process.env.BACKSYNC_NODE ?? fileURLToPath(new URL("../../../target/debug/examples/sockjs_node", import.meta.url));

/** So many nodes and their balancer, until the end of the test `t`. */
export async function startNodes(t, count) {
  await access(BINARY).catch(() => {
    throw new Error(`there is no ${BINARY}: run \`cargo build --example sockjs_node\`, or name another one in BACKSYNC_NODE`);
  });
  const folder = await mkdtemp(join(tmpdir(), "backsync-nodes-"));
  cleanUp(t, () => rm(folder, { recursive: true, force: true }));
  const nodes = [];
  for (let i = 0; i < count; i++) {
    const process = start(t, BINARY, [folder]);
    const url = await firstLine(process, process.child.stdout, (line) => line);
    nodes.push({ url, process });
  }
  return { ...(await balance(t, nodes)), owner: () => owner(folder, nodes), nodes };
}

/** The node that has the one session there is. */
async function owner(folder, nodes) {
  const sessions = await readdir(folder);
  if (sessions.length !== 1) throw new Error(`there are ${sessions.length} sessions`);
  const entry = await readFile(join(folder, sessions[0]), "utf8");
  return nodes.find(({ url }) => entry.startsWith(`${url} `));
}

/** `url` is that of the balancer, `served()` how many requests each node had. */
async function balance(t, nodes) {
  const agent = new Agent({ keepAlive: true });
  const served = nodes.map(() => 0);
  let turn = 0;

  function pass(incoming, outgoing, body, attempts) {
    const index = turn++ % nodes.length;
    const { url } = nodes[index];
    const options = { method: incoming.method, headers: incoming.headers, agent };
    const asked = request(url + incoming.url, options, (answer) => {
      served[index]++;
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.on("data", (data) => outgoing.write(data) || (answer.pause(), outgoing.once("drain", () => answer.resume())));
      answer.on("end", () => outgoing.end()).on("error", () => outgoing.destroy());
    });
    outgoing.on("close", () => asked.destroy());
    asked.on("error", (cause) => {
      // Nobody listens there any more.
      if (cause.code === "ECONNREFUSED" && attempts > 1) return pass(incoming, outgoing, body, attempts - 1);
      outgoing.destroy();
    });
    asked.end(body);
  }

  const server = createServer(async (incoming, outgoing) => {
    const pieces = [];
    incoming.on("error", () => outgoing.destroy());
    for await (const piece of incoming) pieces.push(piece);
    pass(incoming, outgoing, Buffer.concat(pieces), nodes.length);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanUp(t, () => {
    server.closeAllConnections();
    agent.destroy();
    server.close();
  });
  return { url: `http://127.0.0.1:${server.address().port}`, served: () => served };
}
