/** Lines a second: a number over the last five seconds, and a small picture of the last minute. */

const SECONDS = 60;
const AVERAGED = 5;

export class Rate {
  #buckets = Array.from({ length: SECONDS }, () => ({ all: 0, errors: 0 }));
  #before = { all: 0, errors: 0 };
  #started = 0;

  /** To be called once a second with the totals so far. */
  tick(all, errors) {
    this.#buckets.shift();
    this.#buckets.push({ all: all - this.#before.all, errors: errors - this.#before.errors });
    this.#before = { all, errors };
    this.#started = Math.min(this.#started + 1, AVERAGED);
  }

  get perSecond() {
    const recent = this.#buckets.slice(-Math.max(1, this.#started));
    return recent.reduce((sum, bucket) => sum + bucket.all, 0) / recent.length;
  }

  draw(canvas) {
    const ratio = Math.min(devicePixelRatio || 1, 3);
    const width = (canvas.width = 120 * ratio);
    const height = (canvas.height = 16 * ratio);
    // Computed colours are plain ones, which a canvas understands; the custom properties hold both themes'.
    const { color, outlineColor } = getComputedStyle(canvas);
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, width, height);
    context.globalAlpha = 0.35;
    context.fillStyle = color;
    context.fillRect(0, height - ratio, width, ratio);
    context.globalAlpha = 1;
    const highest = Math.max(1, ...this.#buckets.map((bucket) => bucket.all));
    const step = width / SECONDS;
    this.#buckets.forEach(({ all, errors }, index) => {
      const bar = (n, colour) => {
        if (n === 0) return;
        const tall = Math.max(ratio, (n / highest) * height);
        context.fillStyle = colour;
        context.fillRect(index * step, height - tall, step - ratio * 0.6, tall);
      };
      bar(all, color);
      bar(errors, outlineColor);
    });
  }
}
