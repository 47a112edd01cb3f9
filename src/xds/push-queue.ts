import type { Clock } from "./limits.ts";

/** A push works this long at a stretch; then health checks, the CA and other streams have their turn. */
const SLICE_MS = 10;

/** Work for many streams, in slices. What is already waiting is not queued twice: the newest state counts when its turn comes. */
export class PushQueue<Stream> {
  readonly #waiting = new Set<Stream>();
  readonly #work: (stream: Stream) => void;
  readonly #clock: Clock;
  #isScheduled = false;

  constructor(work: (stream: Stream) => void, clock: Clock) {
    this.#work = work;
    this.#clock = clock;
  }

  add(stream: Stream): void {
    this.#waiting.add(stream);
    this.#schedule();
  }

  has(stream: Stream): boolean {
    return this.#waiting.has(stream);
  }

  delete(stream: Stream): void {
    this.#waiting.delete(stream);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#runSlice());
  }

  #runSlice(): void {
    this.#isScheduled = false;
    const end = this.#clock.now() + SLICE_MS;
    for (const stream of this.#waiting) {
      this.#waiting.delete(stream);
      this.#work(stream);
      if (this.#clock.now() >= end) break;
    }
    if (this.#waiting.size > 0) this.#schedule();
  }
}
