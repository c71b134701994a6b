/** The page: `?model=Log&server=http://127.0.0.1:9000`. */

import { backsync } from "./backsync-backbone.js";
import { EntryDialog } from "./entry-dialog.js";
import { lines } from "./format.js";
import { LogView } from "./log-view.js";
import { logsOf } from "./logs.js";

const { Backbone, SockJS } = window;
const $ = (id) => document.getElementById(id);

const asked = new URLSearchParams(location.search);
const model = asked.get("model") ?? "Log";
const url = (asked.get("server") ?? "http://127.0.0.1:9000").replace(/\/+$/, "");

const connection = backsync(Backbone, () => new SockJS(url + "/backsync"));

const PHASES = {
  connecting: `connecting to ${url}`,
  connected: `connected to ${url}`,
  lost: `no connection to ${url}, trying again`,
  closed: `${url} has closed the connection`,
};

function light() {
  $("light").dataset.phase = connection.phase;
  $("light").title = PHASES[connection.phase];
  $("light-text").textContent = connection.phase;
}

connection.on("phase", light);
connection.on("fault", (error) => notice(error.message));
light();

const Logs = logsOf(model);
const logs = new Logs();
const dialog = new EntryDialog($("entry"));
const view = new LogView($("scroller"), $("sheet"), logs, { onOpen: (log) => dialog.open(log), onDraw: draw });

let isRead = false;

function draw() {
  $("count").textContent = isRead ? lines(logs.length) : `reading ${model} …`;
  $("empty").hidden = !isRead || logs.length > 0;
  $("end").hidden = view.following;
}

function notice(text) {
  $("notice").textContent = text;
}

logs.on("sync", () => {
  isRead = true;
  view.draw();
});
logs.fetch({ error: (_, error) => notice(error.message) });

$("end").addEventListener("click", () => view.follow());
$("write").addEventListener("submit", (event) => {
  event.preventDefault();
  const message = $("text").value;
  if (message === "") return;
  $("text").value = "";
  notice("");
  view.follow();
  const entry = { time: new Date().toISOString(), level: $("level").value, message };
  logs.create(entry, { error: (_, error) => notice(`not written: ${error.message}`) });
});

document.title = `${model} · log console`;
$("model").textContent = model;
$("command").textContent = `tail -F app.log | backsync pipe ${model}${pipeUrl()}`;

function pipeUrl() {
  return url === "http://127.0.0.1:9000" ? "" : ` --url ${url.replace(/^http/, "ws")}/ws`;
}

// For tests, and for the curious at the developer tools.
window.logConsole = { connection, logs, view };
