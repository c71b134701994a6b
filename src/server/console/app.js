/**
 * The log console: one model's records as they come, over one WebSocket.
 *
 * Changes go from the connection through the subscription into the tail, which works on them once a frame; what the
 * page shows is then drawn from the tail. Nothing else changes the rows.
 */

import { Chips } from "./chips.js";
import { copyText, download } from "./clipboard.js";
import { Connection } from "./connection.js";
import { Detail } from "./detail.js";
import { emptyState } from "./empty.js";
import { count, lineText } from "./format.js";
import { everyFrame } from "./frame.js";
import { Hint } from "./hint.js";
import { installHook } from "./hook.js";
import { listenToKeys } from "./keyboard.js";
import { ALL_LEVELS } from "./levels.js";
import { List } from "./list.js";
import { Models, modelInAddress } from "./models.js";
import { pipeCommand, socketUrl } from "./pipe.js";
import { parseQuery } from "./query.js";
import { Rate } from "./rate.js";
import { Status } from "./status.js";
import { Subscription } from "./subscription.js";
import { Tail } from "./tail.js";
import { toggleTheme } from "./theme.js";

const CAPACITY = 100_000;
/** Of each frame's 16 ms, for changes and for the filter each; the rest is for painting. */
const SLICE_MS = 6;

const $ = (id) => document.getElementById(id);

const tail = new Tail(CAPACITY, () => performance.now());
const rate = new Rate();
const status = new Status({
  light: $("light"), lightText: $("light-text"), shown: $("shown"), kept: $("kept"), rate: $("rate"), notice: $("notice"),
});
let cleared = false;

const frame = everyFrame(() => {
  const more = tail.work(SLICE_MS);
  draw();
  return more;
});

const connection = new Connection(socketUrl(location), {
  phase: () => frame(),
  open: () => subscription.read(),
  message: (message) => {
    if (message.event === "$session:error") status.notice(String(message.data?.message ?? message.data?.code ?? "error"));
    subscription.receive(message);
  },
});
const subscription = new Subscription(modelInAddress(), (message) => connection.send(message), {
  change: (change) => {
    tail.push(change);
    frame();
  },
  status: () => frame(),
});

const list = new List($("scroller"), $("sheet"), { onChange: () => frame(), onOpen: openRow });
const detail = new Detail($("detail"), { close: closeDetail, move, notice: (text) => status.notice(text) });
const models = new Models($("tabs"), $("other"), $("other-name"), watch);
const command = () => pipeCommand(subscription.model, location);
const hint = new Hint($("hint"), {
  command, model: () => subscription.model, watch, notice: (text) => status.notice(text), change: () => frame(),
});
const chips = new Chips($("levels"), applyFilter);

// What is on the page.

function draw() {
  const { view, store } = tail;
  const { phase, url, reason } = connection;
  list.update(view.shown, view.query);
  chips.update(store.counts);
  status.light({ phase, url, reason });
  status.counts({
    shown: view.shown.length, total: store.size, dropped: store.dropped, capacity: CAPACITY,
    paused: view.paused, behind: view.behind, ready: subscription.status === "live" || store.size > 0,
  });
  status.title(subscription.model, tail.arrivedErrors);
  drawEmpty();
  drawJump();
  press($("pause"), view.paused);
  press($("follow"), list.following);
  $("pause-text").textContent = view.paused ? "Resume" : "Pause";
  const latest = detail.open ? store.get(detail.row.id) : null;
  if (latest && latest !== detail.row && !view.paused) detail.show(latest, view.query, false);
}

const press = (button, on) => button.setAttribute("aria-pressed", on);

function drawJump() {
  const { view } = tail;
  const n = view.paused ? view.behind : list.unseen;
  const text = view.paused ? `${count(n)} new · resume` : `${count(n)} new ${n === 1 ? "line" : "lines"} · jump to end`;
  $("jump").hidden = n === 0;
  if ($("jump").textContent !== text) $("jump").textContent = text;
}

let emptyKey = null;

function drawEmpty() {
  const { key, nodes } = emptyState({
    model: subscription.model, phase: connection.phase, url: connection.url, status: subscription.status,
    error: subscription.error, total: tail.store.size, shown: tail.view.shown.length, busy: !tail.settled,
    cleared, command: command(),
  }, { clearFilter, retry: () => connection.retry(), read: () => subscription.read(), copyCommand: (button) => hint.copy(button) });
  if (key !== emptyKey) {
    emptyKey = key;
    $("empty").hidden = nodes.length === 0;
    $("empty").replaceChildren(...nodes);
  }
  hint.draw($("empty").querySelector(".command") !== null);
}

// The model.

function watch(model) {
  if (model === subscription.model) return;
  tail.restart();
  cleared = false;
  list.selected = null;
  list.follow(true);
  detail.close();
  subscription.watch(model);
  showModel();
  frame();
}

function showModel() {
  models.show(subscription.model);
  hint.renew();
}

// The filter.

function applyFilter() {
  const typed = $("filter").value;
  const query = parseQuery(typed);
  $("filter-error").textContent = query.error ?? "";
  $("filter-box").classList.toggle("is-wrong", query.error !== null);
  $("filter-box").classList.toggle("has-text", typed !== "");
  $("filter-clear").hidden = typed === "";
  // While a regular expression is only half typed, what the last good one found stays.
  if (query.error === null) tail.view.filter(query, chips.mask);
  else tail.view.filter(tail.view.query, chips.mask);
  frame();
}

function setFilter(text) {
  $("filter").value = text;
  applyFilter();
}

function clearFilter() {
  $("filter").value = "";
  chips.set(ALL_LEVELS);
}

$("filter").addEventListener("input", applyFilter);
$("filter-clear").addEventListener("click", () => {
  setFilter("");
  $("filter").focus();
});

// Standing still and going on.

function setPaused(on) {
  if (on) tail.view.pause();
  else tail.view.resume();
  frame();
}

function jumpToEnd() {
  setPaused(false);
  list.follow(true);
  frame();
}

$("pause").addEventListener("click", () => setPaused(!tail.view.paused));
$("follow").addEventListener("click", () => list.follow(!list.following));
$("jump").addEventListener("click", jumpToEnd);

// One row.

function openRow(row) {
  list.follow(false);
  list.select(row);
  showDetail();
}

function showDetail() {
  const current = tail.store.get(list.selected.id);
  detail.show(current ?? list.selected, tail.view.query, current === undefined);
}

function closeDetail() {
  detail.close();
  $("scroller").focus({ preventScroll: true });
  frame();
}

function move(step) {
  const from = list.selectedIndex;
  list.selectAt(from >= 0 ? from + step : step > 0 ? list.firstInSight : list.lastInSight);
  if (detail.open && list.selected) showDetail();
}

// Taking lines along.

function clear() {
  tail.clear();
  cleared = true;
  list.selected = null;
  detail.close();
  frame();
}

async function copyShown() {
  const lines = [];
  for (const row of tail.view.shown) lines.push(lineText(row.record));
  const done = await copyText(`${lines.join("\n")}\n`);
  status.notice(done ? `Copied ${count(lines.length)} lines` : "Could not copy");
}

function save() {
  const pieces = [];
  for (const row of tail.view.shown) pieces.push(`${JSON.stringify(row.record)}\n`);
  const stamp = new Date().toISOString().replace(/[:.]/g, "-").slice(0, 19);
  download(`${subscription.model}-${stamp}.ndjson`, "application/x-ndjson", pieces);
  status.notice(`Saved ${count(pieces.length)} records`);
}

$("clear").addEventListener("click", clear);
$("copy").addEventListener("click", copyShown);
$("save").addEventListener("click", save);
$("theme").addEventListener("click", toggleTheme);
$("help").addEventListener("click", () => $("keys").showModal());
addEventListener("themechange", () => rate.draw($("spark")));

listenToKeys({
  focusFilter: () => $("filter").select(),
  toLines: () => {
    $("scroller").focus({ preventScroll: true });
    if (!list.selected) move(-1);
  },
  follow: () => list.follow(!list.following),
  pause: () => setPaused(!tail.view.paused),
  top: () => list.toTop(),
  end: jumpToEnd,
  move,
  level: (level, solo) => chips.toggle(level, solo),
  help: () => $("keys").showModal(),
  open: () => {
    if (!list.selected) move(-1);
    if (list.selected) showDetail();
  },
  copySelected: () => {
    if (!list.selected) return false;
    const row = tail.store.get(list.selected.id) ?? list.selected;
    copyText(lineText(row.record)).then((done) => status.notice(done ? "Copied the line" : "Could not copy"));
    return true;
  },
  escape: (target) => {
    if (target === $("filter")) {
      if ($("filter").value !== "") setFilter("");
      else $("scroller").focus({ preventScroll: true });
    } else if (target === $("other-name")) target.blur();
    else if (detail.open) closeDetail();
    else if (list.selected) list.select(null);
    else setFilter("");
  },
});

document.addEventListener("visibilitychange", () => frame());
setInterval(() => {
  rate.tick(tail.arrived, tail.arrivedErrors);
  status.rate(rate.perSecond);
  if (!document.hidden) rate.draw($("spark"));
}, 1000);

installHook({ tail, list, connection, subscription, watch, setFilter, setPaused, setLevels: (mask) => chips.set(mask) });
showModel();
status.rate(0);
rate.draw($("spark"));
connection.open();
frame();
