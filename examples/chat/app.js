/** A chat: rooms by their names in the address, `#lobby`; `?server=http://…` is another broker than that of this machine. */

import { openMessages } from "./models.js";
import { Presence } from "./presence.js";
import { showMessages, showPeople } from "./view.js";

const $ = (id) => document.getElementById(id);
const server = new URLSearchParams(location.search).get("server") ?? `http://${location.hostname}:9000`;

/** What this browser is known by, and how it is called. */
const kept = (key, make) => {
  const value = localStorage.getItem(key) ?? make();
  localStorage.setItem(key, value);
  return value;
};
const author = kept("chat-author", () => window.backsync.randomName());
$("name").value = kept("chat-name", () => `guest ${author.slice(0, 4)}`);

const { offline, Messages } = await openMessages(server);

const roomNow = () => decodeURIComponent(location.hash.slice(1)) || "lobby";

/** Go into a room; the function returned leaves it. */
function enter(room) {
  $("room").textContent = room;
  document.title = `#${room}`;
  const messages = new Messages([], { where: { room } });
  const stopShowing = showMessages($("messages"), messages, author);
  messages.fetch();
  const presence = new Presence(offline.client, { room, name: $("name").value, author }, () => showPeople($("people"), $("typing"), presence.people, author));
  $("say").onsubmit = (event) => {
    event.preventDefault();
    const text = $("text").value.trim();
    if (text) messages.create({ room, author, name: $("name").value, text, at: Date.now() });
    $("text").value = "";
    $("messages").scrollTop = $("messages").scrollHeight;
    presence.said();
  };
  $("text").oninput = () => presence.typing();
  $("name").onchange = () => {
    localStorage.setItem("chat-name", $("name").value);
    presence.rename($("name").value);
  };
  return () => {
    stopShowing();
    messages.stopListening();
    presence.leave();
  };
}

function showState() {
  const waiting = offline.pending > 0 ? `${offline.pending} waiting` : "";
  $("state").textContent = offline.isOnline ? waiting : ["offline", waiting].filter(Boolean).join(", ");
  $("state").className = offline.isOnline ? "" : "away";
}

let leave = enter(roomNow());
addEventListener("hashchange", () => {
  leave();
  leave = enter(roomNow());
});
$("go").onsubmit = (event) => {
  event.preventDefault();
  location.hash = encodeURIComponent($("other").value.trim());
  $("other").value = "";
};
offline.on("online", showState);
offline.on("pending", showState);
showState();
