/** Takes the picture of the chat for the documentation: `node screenshot-chat.mjs [file]`. A desk and a phone, in the same room. */

import { fileURLToPath } from "node:url";

import { openBrowser } from "./lib/browser.mjs";
import { once } from "./lib/cleanup.mjs";
import { ChatPage, serveChat } from "./lib/chat.mjs";

const file = process.argv[2] ?? fileURLToPath(new URL("../../docs/chat.png", import.meta.url));
const DESK = { width: 1000, height: 720 };
const PHONE = { width: 360, height: 720 };

/** Who said what, and how many minutes ago. */
const TALK = [
  ["mira", "Mira", 26, "Good morning! The boat is back in the water, and she floats."],
  ["jonas", "Jonas", 24, "Even with the new mast?"],
  ["mira", "Mira", 23, "Even with that."],
  ["mira", "Mira", 23, "Pictures: https://example.com/harbour/2026"],
  ["katya", "Катя", 19, "Прекрасно! Who is coming along on Saturday?"],
  ["samir", "Samir", 14, "أنا بالتأكيد"],
  ["lucja", "Łucja", 11, "I am. I could bring the big tent, two of the lamps and, if somebody else has a pan, everything that it takes for a soup."],
];
const ELSEWHERE = [
  ["jonas", "Jonas", 0, "Who took the pan?"],
  ["katya", "Катя", 0, "Not me."],
  ["jonas", "Jonas", 0, "Ada!"],
];

await once(take);

async function take(t) {
  const broker = await serveChat(t);
  const browser = await openBrowser(t);
  const put = (model, id, record) =>
    fetch(`${broker.url}/api/${model}/${id}`, { method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify(record) });
  const say = async (room, talk) => {
    for (const [n, [from, name, ago, text]] of talk.entries()) await put("ChatMessage", `${room}-${n}`, { room, from, name, text, at: Date.now() - ago * 60_000 });
  };
  for (const [id, name] of [["harbour", "Harbour"], ["kitchen", "Kitchen"], ["night-watch", "Night watch"]]) await put("Room", id, { name });
  await say("harbour", TALK);

  const at = `${broker.url}/#harbour`;
  const ada = await ChatPage.open(browser, at, "Ada", { viewport: DESK, deviceScaleFactor: 1.5, colorScheme: "light" });
  const noe = await ChatPage.open(browser, at, "Noé", { viewport: PHONE, deviceScaleFactor: 1.5, colorScheme: "dark", isMobile: true, hasTouch: true });
  const mira = await ChatPage.open(browser, at, "Mira");
  await ada.write("I have a pan!");
  await ada.write("And Saturday is fine.");
  await noe.shows([...TALK.map(([, , , text]) => text), "I have a pan!", "And Saturday is fine."]);
  await noe.write("Then there is soup.");
  await say("kitchen", ELSEWHERE);
  await mira.page.fill("#text", "Wonderful");
  for (const chat of [ada, noe]) {
    await chat.saysTyping("Mira is typing");
    await chat.hasPeople(chat === ada ? ["Noé", "Mira", "you"] : ["Ada", "Mira", "you"]);
  }
  const pictures = await Promise.all([ada, noe].map(({ page }) => page.screenshot()));
  await compose(browser, pictures);
}

async function compose(browser, [desk, phone]) {
  const page = await browser.newPage({ viewport: { width: 1400, height: 790 }, deviceScaleFactor: 1.25 });
  const source = (picture) => `data:image/png;base64,${picture.toString("base64")}`;
  await page.setContent(`<style>
    body { margin: 0; height: 100vh; background: linear-gradient(140deg, #dfe0f4, #c5c8ea); position: relative; }
    img { position: absolute; }
    .desk { left: 36px; top: 34px; width: ${DESK.width}px; border-radius: 14px; box-shadow: 0 20px 60px rgb(30 30 90 / .28); }
    .phone { right: 32px; bottom: 28px; width: 312px; border: 7px solid #16171d; border-radius: 34px; box-shadow: 0 24px 70px rgb(20 20 60 / .5); }
  </style><img class="desk" src="${source(desk)}"><img class="phone" src="${source(phone)}">`);
  await page.waitForFunction(() => [...document.images].every(({ complete }) => complete));
  await page.screenshot({ path: file });
}
