import type { ProxyTermination } from "../schema/proxy-config.ts";
import { pause } from "./pause.ts";
import type { OpenWork } from "../model/open-work.ts";

/** What a proxy waits for before it ends, and how long. */
export interface DrainPlan {
  readonly until: keyof OpenWork;
  readonly atLeastMs: number;
  readonly atMostMs: number;
}

export interface DrainState {
  readonly isGateway: boolean;
  /** The whole mesh stops: nobody can go elsewhere, and nobody comes. */
  readonly withMesh: boolean;
  /** Since the proxy was told to drain. */
  readonly drainedMs: number;
  /** Of the Pod's grace period. */
  readonly leftMs: number;
}

/**
 * How long a proxy goes on when its application has ended, as Istio's agent decides it (pkg/envoy/agent.go): `terminationDrainDuration`, or with
 * `EXIT_ON_ZERO_ACTIVE_CONNECTIONS` until none is open, and never beyond the Pod's grace period. What Istio waits for although nothing is open
 * is left out. A gateway has no application: its time runs from the beginning of its drain, and its idle clients get it all to go by
 * themselves; what is idle at a sidecar without an application, or when all stops, has nothing to hope for.
 */
export function planDrain({ drainMs, untilZero }: ProxyTermination, { isGateway, withMesh, drainedMs, leftMs }: DrainState): DrainPlan {
  if (withMesh) return { until: "requests", atLeastMs: 0, atMostMs: Math.min(untilZero === undefined ? drainMs : leftMs, leftMs) };
  const within = (milliseconds: number) => Math.max(0, Math.min(milliseconds, leftMs));
  if (untilZero !== undefined)
    return { until: "connections", atLeastMs: within(untilZero.atLeastMs - drainedMs), atMostMs: within(leftMs) };
  if (isGateway) return { until: "connections", atLeastMs: 0, atMostMs: within(drainMs - drainedMs) };
  return { until: "requests", atLeastMs: 0, atMostMs: within(drainMs) };
}

const LOOK_AGAIN_MS = 100;
/** One that doesn't answer so often in a row has nothing open that could be waited for. */
const MAX_SILENT = 5;

export async function waitUntilDrained(plan: DrainPlan, openWork: () => Promise<OpenWork>): Promise<void> {
  const started = performance.now();
  const end = started + plan.atMostMs;
  let silent = 0;
  while (performance.now() < end && silent < MAX_SILENT) {
    const open = await openWork().catch(() => undefined);
    silent = open === undefined ? silent + 1 : 0;
    if (open?.[plan.until] === 0 && performance.now() - started >= plan.atLeastMs) return;
    await pause(Math.min(LOOK_AGAIN_MS, Math.max(0, end - performance.now())));
  }
}
