/** Processes that a test starts, and ends again by their handle: those and no others. */

import { spawn } from "node:child_process";
import { once } from "node:events";

import { cleanUp } from "./cleanup.mjs";

/** What a process wrote to stderr is kept up to so many characters, for messages about failures. */
const KEPT = 20_000;

/**
 * Starts `file args`; it is ended with the test `t`, if not before.
 *
 * Returns `{child, stderr(), ended, kill(signal)}`, where `ended` resolves to `{code, signal}`.
 */
export function start(t, file, args, options = {}) {
  const child = spawn(file, args, { stdio: ["pipe", "pipe", "pipe"], ...options });
  let stderr = "";
  child.stderr.setEncoding("utf8");
  child.stderr.on("data", (text) => {
    stderr = (stderr + text).slice(-KEPT);
  });
  const ended = new Promise((resolve, reject) => {
    child.on("error", (cause) => reject(new Error(`cannot start ${file}: ${cause.message}`)));
    child.on("close", (code, signal) => resolve({ code, signal }));
  });
  ended.catch(() => {});
  // Who is killed while we write into it is looked at through `ended`.
  child.stdin.on("error", () => {});
  const kill = async (signal = "SIGTERM") => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    return ended;
  };
  cleanUp(t, () => kill("SIGKILL"));
  return { child, stderr: () => stderr, ended, kill };
}

/** The first line of `stream` for which `find` returns something; fails when the process ends before. */
export function firstLine(process, stream, find) {
  stream.setEncoding("utf8");
  let rest = "";
  return new Promise((resolve, reject) => {
    stream.on("data", (text) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        const found = find(line);
        if (found) resolve(found);
      }
    });
    process.ended.then(
      ({ code }) => reject(new Error(`ended with ${code} before it was ready:\n${process.stderr()}`)),
      reject,
    );
  });
}

/** Everything a process prints until it ends; fails when it fails. */
export async function outputOf(process) {
  const pieces = [];
  process.child.stdout.on("data", (piece) => pieces.push(piece));
  const { code } = await process.ended;
  if (code !== 0) throw new Error(`ended with ${code}:\n${process.stderr()}`);
  return Buffer.concat(pieces).toString("utf8");
}

/** Writes as fast as the process reads. */
export async function feed(process, chunks) {
  for (const chunk of chunks) {
    if (!process.child.stdin.write(chunk)) await Promise.race([once(process.child.stdin, "drain"), process.ended]);
  }
}
