import type { Step } from "./plan.ts";

export interface OpenLoop {
  /** More than this at once are not begun. */
  readonly maxInFlight: number;
  /** Begins a step, which was due at that time (of `performance.now()`), and must not throw. */
  readonly begin: (step: Step, dueMs: number) => Promise<void>;
  /** Told of a step that could not be begun. */
  readonly leftOut: (step: Step) => void;
  readonly signal?: AbortSignal;
}

/** Begins each step when its time has come, whether or not the ones before have ended; resolves when all have. */
export async function runOpenLoop(plan: Iterable<Step>, { maxInFlight, begin, leftOut, signal }: OpenLoop): Promise<void> {
  const start = performance.now();
  const inFlight = new Set<Promise<void>>();
  for (const step of plan) {
    const dueMs = start + step.atMs;
    const waitMs = dueMs - performance.now();
    if (waitMs > 1) await new Promise((resolve) => setTimeout(resolve, waitMs));
    if (signal?.aborted === true) break;
    if (inFlight.size >= maxInFlight) {
      leftOut(step);
      // Where nothing has to be waited for, answers must be heard all the same.
      await new Promise(setImmediate);
      continue;
    }
    const work: Promise<void> = begin(step, dueMs).finally(() => inFlight.delete(work));
    inFlight.add(work);
  }
  await Promise.all(inFlight);
}
