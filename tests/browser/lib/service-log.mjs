/** Lines as a web shop's services would write them: for pictures. */

import { randomNumbers } from "./log-lines.mjs";

/** An endless run of lines of JSON, each stamped with the present. */
export function* serviceLog(seed) {
  const random = randomNumbers(seed);
  const whole = (from, to) => from + Math.floor(random() * (to - from + 1));
  const pick = (list) => list[whole(0, list.length - 1)];
  const hex = (digits) => Array.from({ length: digits }, () => pick([..."0123456789abcdef"])).join("");
  const json = (level, target, message, fields) =>
    JSON.stringify({ time: new Date().toISOString(), level, target, message, ...fields });

  const reads = () => pick(["/api/cart", "/api/products?page=2", `/api/products/${whole(100, 999)}`, "/api/search?q=lamp", "/api/orders", `/img/p/${hex(6)}.webp`, `/api/products/${whole(100, 999)}/reviews`]);
  const request = (line, status) => json("info", "http", line, { status, ms: whole(2, 90), trace: hex(8) });
  const worker = () => `\u001b[36mworker-${whole(1, 4)}\u001b[0m`;
  const kinds = [
    [36, () => request(`GET ${reads()}`, pick([200, 200, 200, 200, 304]))],
    [9, () => request(`POST ${pick(["/api/cart", "/api/checkout", "/login", "/api/reviews"])}`, 201)],
    [7, () => json("info", "orders", "order placed", { order: `A-${whole(48_000, 49_999)}`, items: whole(1, 7), total: `${whole(9, 240)}.${whole(10, 99)} €` })],
    [5, () => json("info", "auth", "signed in", { user: pick(["mira", "jonas", "aiko", "samir", "łucja", "noé"]), method: pick(["passkey", "password", "sso"]) })],
    [12, () => json("debug", "cache", pick(["hit", "hit", "miss", "stored"]), { key: `product:${whole(100, 999)}`, ttl_s: whole(20, 300) })],
    [7, () => json("debug", "db", "select … from stock where sku = any($1)", { rows: whole(1, 40), ms: whole(1, 12) })],
    [5, () => json("trace", "queue", "poll", { queue: "mail", waiting: whole(0, 9) })],
    [5, () => json("warn", "db", "slow query", { table: pick(["orders", "stock", "reviews"]), ms: whole(600, 2_400) })],
    [3, () => json("warn", "limits", "client is close to its rate limit", { client: `10.0.${whole(1, 9)}.${whole(2, 250)}`, used: `${whole(88, 99)}%` })],
    [3, () => json("error", "payments", "card was not charged, will be tried again", { order: `A-${whole(48_000, 49_999)}`, provider: "acquirer-2", cause: "timeout after 3 s", attempt: whole(1, 3) })],
    [1, () => json("error", "http", `POST /api/checkout`, { status: 502, ms: whole(3_000, 3_400), trace: hex(8) })],
    [6, () => json("info", "images", `${worker()} thumbnail done in \u001b[32m${whole(20, 180)} ms\u001b[0m`)],
    [2, () => json("warn", "images", `${worker()} retrying upload of p/${hex(6)}.webp \u001b[33m(2 of 5)\u001b[0m`)],
  ];
  const total = kinds.reduce((sum, [weight]) => sum + weight, 0);
  for (;;) {
    let at = random() * total;
    yield kinds.find(([weight]) => (at -= weight) < 0)[1]();
  }
}
