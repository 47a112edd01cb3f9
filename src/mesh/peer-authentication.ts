import type { PoliciesOf } from "./policies.ts";
import type { Origin } from "../model/origin.ts";
import { refOf } from "../model/resource.ts";

export type MtlsMode = "strict" | "permissive" | "disable";

/** What a workload's ports ask of their callers. */
export interface MtlsModes {
  readonly all: MtlsMode;
  /** Ports of the workload (not of its Services) that differ. */
  readonly byPort: Readonly<Record<number, MtlsMode>>;
  readonly origin: readonly Origin[];
}

const MODES: Readonly<Record<string, MtlsMode>> = { STRICT: "strict", PERMISSIVE: "permissive", DISABLE: "disable" };

/**
 * The nearest PeerAuthentication that says a mode: the workload's, the namespace's, the mesh's; of several at one place the oldest. UNSET asks
 * the next one. Only the workload's own may speak of single ports (Istio's rules).
 */
export function resolveMtls(policies: PoliciesOf<"PeerAuthentication">, fallback: MtlsMode): MtlsModes {
  const [workload] = policies.workload;
  const levels = [workload, policies.namespace[0], policies.mesh[0]].filter((policy) => policy !== undefined);
  const speaking = levels.find((policy) => modeOf(policy.body.spec?.mtls?.mode) !== undefined);
  const all = modeOf(speaking?.body.spec?.mtls?.mode) ?? fallback;
  const ports = Object.entries(workload?.body.spec?.portLevelMtls ?? {});
  const byPort = Object.fromEntries(ports.map(([port, declared]) => [Number(port), modeOf(declared?.mode) ?? all]));
  const origins = [
    ...(ports.length > 0 && workload !== undefined ? [{ ref: refOf(workload), path: ["spec", "portLevelMtls"] }] : []),
    ...(speaking === undefined ? [] : [{ ref: refOf(speaking), path: ["spec", "mtls"] }]),
  ];
  return { all, byPort, origin: origins };
}

export function mtlsOf(modes: MtlsModes, port: number): MtlsMode {
  return modes.byPort[port] ?? modes.all;
}

function modeOf(mode: string | undefined): MtlsMode | undefined {
  return mode === undefined ? undefined : MODES[mode];
}
