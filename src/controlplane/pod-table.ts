import { EventEmitter, once } from "node:events";
import type { ObservedPod } from "../runtime/index.ts";

/** A loop of crashes is ready for a moment each time. */
const STEADY_MS = 3000;
const LOOK_AGAIN_MS = 500;

/** The workloads as the machine last reported them. */
export class PodTable {
  #pods: readonly ObservedPod[] | undefined;
  readonly #changes = new EventEmitter();
  readonly #readySince = new Map<string, number>();
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
    for (const pod of pods) {
      const key = `${pod.namespace}/${pod.name}`;
      if (!pod.ready) this.#readySince.delete(key);
      else if (!this.#readySince.has(key)) this.#readySince.set(key, performance.now());
    }
    this.#changes.emit("change");
  }

  /** Resolves when all are ready and stay so, with those that are not when the time is up. */
  async settled(timeoutMs: number, signal: AbortSignal): Promise<readonly ObservedPod[]> {
    const end = AbortSignal.any([AbortSignal.timeout(timeoutMs), signal]);
    for (;;) {
      const waiting = this.#pods?.filter((pod) => !this.#isSteady(pod));
      if (waiting?.length === 0 || end.aborted) {
        this.#isSettled = true;
        return waiting ?? [];
      }
      const again = setTimeout(() => this.#changes.emit("change"), LOOK_AGAIN_MS).unref();
      await once(this.#changes, "change", { signal: end }).catch(() => {});
      clearTimeout(again);
    }
  }

  #isSteady({ namespace, name, ready, restarts }: ObservedPod): boolean {
    const since = this.#readySince.get(`${namespace}/${name}`);
    return ready && (restarts === 0 || (since !== undefined && performance.now() - since >= STEADY_MS));
  }
}
