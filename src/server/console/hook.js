/**
 * `window.backsyncConsole`, for tests and for the curious at the developer tools.
 *
 * - `state()`: `{model, status, connected, phase, total, shown, behind, dropped, following, paused, busy, arrived}`
 * - `records()`: the records shown, in order (a pass of the filter that is under way is not in it yet: see `settled`)
 * - `settled()`: a promise for the moment when nothing waits: the model is read, changes are applied, the filter is done
 * - `watch(model)`, `filter(text)`, `levels(...names)` (none: all), `pause(on)`, `follow(on)`: as the controls do
 * - `drop()`: breaks the connection, which then comes back by itself
 */

import { ALL_LEVELS, LEVELS } from "./levels.js";

export function installHook({ tail, list, connection, subscription, watch, setFilter, setPaused, setLevels }) {
  const state = () => ({
    model: subscription.model,
    status: subscription.status,
    connected: connection.phase === "connected",
    phase: connection.phase,
    total: tail.store.size,
    shown: tail.view.shown.length,
    behind: tail.view.behind,
    dropped: tail.store.dropped,
    following: list.following,
    paused: tail.view.paused,
    busy: !tail.settled,
    arrived: tail.arrived,
  });
  window.backsyncConsole = Object.freeze({
    state,
    records: () => Array.from(tail.view.shown, (row) => row.record),
    settled: async () => {
      for (;;) {
        const { connected, status, busy } = state();
        if (connected && status !== "reading" && !busy) break;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      // And on the page.
      await new Promise((resolve) => setTimeout(resolve, 20));
      return state();
    },
    watch,
    filter: setFilter,
    levels: (...names) => setLevels(names.length ? names.reduce((mask, name) => mask | (1 << LEVELS.indexOf(name)), 0) : ALL_LEVELS),
    pause: setPaused,
    follow: (on) => list.follow(on),
    drop: () => connection.drop(),
  });
}
