import type { Origin } from "./origin.ts";

/** A running thing with an address: a Pod, or a WorkloadEntry. */
export interface Workload {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly serviceAccount: string;
  /** IPv4 or IPv6 address as other workloads reach it; empty while it has none. */
  readonly address: string;
  /** Ports by name as the containers declare them, for a Service's named targetPort. */
  readonly ports: readonly WorkloadPort[];
  readonly ready: boolean;
  readonly locality: string;
  readonly network: string;
  readonly cluster: string;
  /** True where a sidecar of the mesh takes its traffic, so that mTLS can be spoken to it. */
  readonly hasSidecar: boolean;
  readonly origin: Origin;
}

export interface WorkloadPort {
  readonly name: string;
  readonly port: number;
  readonly protocol: "TCP" | "UDP";
  /** Where workloads share one address (no network namespaces): the port on which the workload's sidecar takes this port's traffic. */
  readonly sidecarPort?: number;
  /** There, too: the port on which this replica was told to listen instead of the declared one. */
  readonly appPort?: number;
}
