/** What stands where no line is: why, and what to do about it. */

import { count } from "./format.js";
import { SERVER_LOG } from "./models.js";
import { element } from "./paint.js";

/**
 * `situation`: `{model, phase, url, status, error, total, shown, busy, cleared, command}`. Returns `{key, nodes}`: no
 * nodes when there are lines to see, and the same `key` for what need not be made again.
 */
export function emptyState(situation, act) {
  const { model, phase, url, status, error, total, shown, busy, cleared, command } = situation;
  if (shown > 0 || busy) return { key: "", nodes: [] };
  if (total > 0) {
    return panel(`filtered ${total}`, "No line matches", [
      paragraph(`${count(total)} ${total === 1 ? "line is" : "lines are"} hidden by the filter.`),
      button("Show all lines", act.clearFilter),
    ]);
  }
  if (phase === "lost" || phase === "closed") {
    return panel(phase, "No connection", [paragraph(`${url} does not answer. This page keeps trying.`), button("Try now", act.retry)]);
  }
  if (error) {
    return panel(`error ${error.code} ${error.message}`, `${model} cannot be read`, [
      paragraph(`${error.message ?? "The server gave no reason"} (${error.code ?? "no code"})`),
      button("Try again", act.read),
    ]);
  }
  if (status === "reading" || phase === "connecting") return panel(`reading ${model}`, `Reading ${model}…`, []);
  if (cleared) return panel("cleared", "Cleared", [paragraph("New lines appear here as they come.")]);
  if (model === SERVER_LOG) {
    return panel("server", "The server has logged nothing yet", [
      paragraph("Its own lines appear here as they come. To see yours, run this where your log is:"),
      commandBox(command, act),
    ]);
  }
  return panel(`model ${model}`, `${model} is empty`, [
    paragraph("Run this where your log is, and every line appears here at once:"),
    commandBox(command, act),
    paragraph("Lines of JSON keep their fields; any other text becomes the message."),
  ]);
}

function panel(key, title, rest) {
  return { key, nodes: [element("h1", "", title), ...rest] };
}

const paragraph = (text) => element("p", "", text);

function button(text, act) {
  const made = element("button", "button", text);
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}

function commandBox(command, act) {
  const box = element("div", "command-box");
  const copy = button("Copy", () => act.copyCommand(copy));
  copy.classList.add("accent");
  box.append(element("code", "command", command), copy);
  return box;
}
