/**
 * Runs `work` before the next paint, as often as asked for but once a frame, and again for as long as it returns true.
 * A hidden page gets no frames, so a timer stands in.
 */
export function everyFrame(work) {
  let frame = 0;
  let timer = 0;
  const run = () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    frame = timer = 0;
    if (work()) request();
  };
  const request = () => {
    if (timer) return;
    frame = requestAnimationFrame(run);
    timer = setTimeout(run, 250);
  };
  return request;
}
