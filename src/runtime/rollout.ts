import type { DesiredWorkload } from "./deployment.ts";
import type { DesiredPod } from "./pod.ts";

/** A pod that exists, as far as a rollout looks at it. */
export interface RunningPod {
  readonly name: string;
  readonly revision: string;
  readonly ready: boolean;
  /** On its way out: it holds its name but counts for nothing else. */
  readonly stopping: boolean;
}

export interface RolloutStep {
  readonly start: readonly DesiredPod[];
  /** Names of pods to stop. */
  readonly stop: readonly string[];
}

/**
 * The next step from what runs to what is desired. New pods are ready before old ones end (maxUnavailable 0); a pod that isn't ready is
 * nobody's loss and ends at once. Call again whenever a pod's state changes; no step means that the rollout is complete or waits for a pod.
 */
export function planRollout(desired: DesiredWorkload, running: readonly RunningPod[]): RolloutStep {
  return desired.kind === "Deployment" ? planDeployment(desired, running) : planStatefulSet(desired, running);
}

function planDeployment(desired: DesiredWorkload, running: readonly RunningPod[]): RolloutStep {
  const taken = new Set(running.map((pod) => pod.name));
  const alive = running.filter((pod) => !pod.stopping);
  const current = alive.filter((pod) => pod.revision === desired.revision);
  const old = alive.filter((pod) => pod.revision !== desired.revision);
  const room = old.length === 0 ? desired.replicas - current.length : desired.replicas + desired.surge - alive.length;
  const wanted = Math.max(0, Math.min(desired.replicas - current.length, room));
  const start: DesiredPod[] = [];
  for (let index = 0; start.length < wanted; index++) {
    const pod = desired.pod(index);
    if (!taken.has(pod.name)) start.push(pod);
  }
  const surplus = current.toSorted(byReadiness).slice(0, Math.max(0, current.length - desired.replicas));
  return { start, stop: [...surplus.map((pod) => pod.name), ...endedOld(old, current, desired.replicas)] };
}

function endedOld(old: readonly RunningPod[], current: readonly RunningPod[], replicas: number): readonly string[] {
  const unready = old.filter((pod) => !pod.ready);
  const ready = old.filter((pod) => pod.ready);
  const readyNow = ready.length + current.filter((pod) => pod.ready).length;
  return [...unready, ...ready.slice(0, Math.max(0, readyNow - replicas))].map((pod) => pod.name);
}

function byReadiness(a: RunningPod, b: RunningPod): number {
  return Number(a.ready) - Number(b.ready);
}

function planStatefulSet(desired: DesiredWorkload, running: readonly RunningPod[]): RolloutStep {
  const byName = new Map(running.map((pod) => [pod.name, pod]));
  const wanted = Array.from({ length: desired.replicas }, (_, index) => desired.pod(index));
  const names = new Set(wanted.map((pod) => pod.name));
  const surplus = running.filter((pod) => !names.has(pod.name) && !pod.stopping).map((pod) => pod.name);
  const start: DesiredPod[] = [];
  for (const pod of wanted) {
    const existing = byName.get(pod.name);
    if (existing === undefined) start.push(pod);
    if (desired.ordered && !existing?.ready) break;
  }
  const outdated = wanted.filter((pod) => byName.get(pod.name)?.revision !== desired.revision && byName.has(pod.name));
  const unready = outdated.filter((pod) => byName.get(pod.name)?.ready === false);
  const allReady = wanted.every((pod) => byName.get(pod.name)?.ready === true && byName.get(pod.name)?.stopping === false);
  const replaced = unready.length > 0 ? unready : allReady ? outdated.slice(-1) : [];
  const stop = [...surplus, ...replaced.map((pod) => pod.name)].filter((name) => byName.get(name)?.stopping === false);
  return { start, stop };
}
