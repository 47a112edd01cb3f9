import { EventEmitter, once } from "node:events";
import type { ObservedPod } from "../runtime/index.ts";

/** The workloads as the machine last reported them. */
export class PodTable {
  #pods: readonly ObservedPod[] | undefined;
  readonly #changes = new EventEmitter();
  #isSettled = false;

  get count(): number {
    return this.#pods?.filter(({ ready }) => ready).length ?? 0;
  }

  /** All were ready once, or nobody waits for them any more. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  set(pods: readonly ObservedPod[]): void {
    this.#pods = pods;
    this.#changes.emit("change");
  }

  /** Resolves when all are ready, with those that are not when the time is up. */
  async settled(timeoutMs: number, signal: AbortSignal): Promise<readonly ObservedPod[]> {
    const end = AbortSignal.any([AbortSignal.timeout(timeoutMs), signal]);
    for (;;) {
      const waiting = this.#pods?.filter(({ ready }) => !ready);
      if (waiting?.length === 0 || end.aborted) {
        this.#isSettled = true;
        return waiting ?? [];
      }
      await once(this.#changes, "change", { signal: end }).catch(() => {});
    }
  }
}
