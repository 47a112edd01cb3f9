import type { Container } from "./pod.ts";

export type ProbeSpec = NonNullable<Container["livenessProbe"]>;
export type ProbeKind = "startup" | "liveness" | "readiness";

export interface ProbeTiming {
  readonly initialDelayMs: number;
  readonly periodMs: number;
  readonly timeoutMs: number;
  readonly failureThreshold: number;
  readonly successThreshold: number;
}

/** Kubernetes' defaults: every 10 s, 1 s of patience, three failures, one success. */
export function toProbeTiming(spec: ProbeSpec): ProbeTiming {
  return {
    initialDelayMs: Math.max(0, spec.initialDelaySeconds ?? 0) * 1000,
    periodMs: Math.max(1, spec.periodSeconds ?? 10) * 1000,
    timeoutMs: Math.max(1, spec.timeoutSeconds ?? 1) * 1000,
    failureThreshold: Math.max(1, spec.failureThreshold ?? 3),
    successThreshold: Math.max(1, spec.successThreshold ?? 1),
  };
}

/** How one probe stands: its verdict changes only after as many equal results in a row as the threshold says. */
export interface ProbeState {
  readonly verdict: "unknown" | "success" | "failure";
  readonly last: "success" | "failure" | "none";
  readonly inARow: number;
}

export const NOT_PROBED: ProbeState = { verdict: "unknown", last: "none", inARow: 0 };

export function afterResult(state: ProbeState, succeeded: boolean, timing: ProbeTiming): ProbeState {
  const last = succeeded ? "success" : "failure";
  const inARow = state.last === last ? state.inARow + 1 : 1;
  const threshold = succeeded ? timing.successThreshold : timing.failureThreshold;
  return { verdict: inARow >= threshold ? last : state.verdict, last, inARow };
}

/** What the probes of a container say together. A container without a startup probe has started; one without readiness is ready when started. */
export interface ContainerHealth {
  readonly started: boolean;
  readonly ready: boolean;
  readonly mustRestart: boolean;
}

export function toContainerHealth(states: Readonly<Partial<Record<ProbeKind, ProbeState>>>): ContainerHealth {
  const { startup, liveness, readiness } = states;
  const started = startup === undefined || startup.verdict === "success";
  return {
    started,
    ready: started && (readiness === undefined || readiness.verdict === "success"),
    mustRestart: startup?.verdict === "failure" || (started && liveness?.verdict === "failure"),
  };
}
