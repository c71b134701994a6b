/** The chat: puts its parts together. */

import { openClients } from "./clients.js";
import { Composer } from "./composer.js";
import { History } from "./history.js";
import { light } from "./light.js";
import { Me } from "./me.js";
import { Notice } from "./notice.js";
import { drawMe, drawPeople, drawTyping } from "./people.js";
import { Presence } from "./presence.js";
import { Rooms } from "./rooms.js";
import { side } from "./side.js";
import { Timeline } from "./timeline.js";
import { Typing } from "./typing.js";
import { Unread } from "./unread.js";
import { openWithoutServer } from "./without-server.js";

const $ = (id) => document.getElementById(id);
const { kept, live } = await openClients();
let history;

const me = new Me(() => {
  drawMe(me);
  presence.be(me, rooms.current);
});
const presence = new Presence(live, draw);
const typing = new Typing(live, me, () => drawTyping(typing.names));
const unread = new Unread(live, me, draw);
const composer = new Composer({
  written(text) {
    typing.stopped();
    history.write(me, text);
    timeline.follow();
  },
  changed: (record, text) => history.edit(record, text),
  typed: (isSomething) => (isSomething ? typing.typed() : typing.stopped()),
  last: () => history.records.findLast(({ from }) => from === me.id),
});
const timeline = new Timeline(me, { edit: (record) => composer.edit(record), remove: (record) => history.delete(record) });
const rooms = new Rooms(kept, enter, () => {
  unread.rooms = rooms.ids;
  draw();
});
const drawer = side();

light(kept);
new Notice(kept);
drawMe(me);
$("me").addEventListener("click", () => me.ask());
document.addEventListener("visibilitychange", look);
rooms.enter();
if (me.name === "") me.ask();
// Without it the page works all the same, as long as there is a server to bring it.
openWithoutServer().catch(() => {});

function enter(room) {
  history?.close();
  history = new History(kept, room, (changed) => {
    if (changed !== history) return;
    see();
    timeline.draw();
  });
  timeline.show(history);
  composer.enter(room);
  typing.enter(room);
  if (me.name !== "") presence.be(me, room);
  drawer.close();
  look();
  draw();
}

function look() {
  unread.look(document.visibilityState === "visible" ? rooms.current : undefined);
  see();
}

function see() {
  if (document.visibilityState === "visible") unread.seen(history.records.at(-1)?.at ?? 0);
}

function draw() {
  if (!history) return;
  const { current } = rooms;
  rooms.draw((room) => ({ unread: unread.in(room), people: presence.in(room).length }));
  drawPeople(presence.in(current), me);
  $("room").textContent = rooms.nameOf(current);
  const { total } = unread;
  document.title = `${total > 0 ? `(${total}) ` : ""}${rooms.nameOf(current)} · Chat`;
  $("elsewhere").hidden = total === 0;
  $("elsewhere").textContent = total > 99 ? "99+" : total;
}
