/** How long to wait before try number `attempt` (from 0): anywhere up to a limit that doubles ("full jitter"). */
export function backoff(attempt, random = Math.random) {
  const limit = Math.min(MAX_MS, BASE_MS * 2 ** attempt);
  return Math.max(MIN_MS, random() * limit);
}

const MIN_MS = 100;
const BASE_MS = 500;
const MAX_MS = 15_000;
