import type { Snapshot } from "../../translate/index.ts";
import type { Proxy } from "../../model/proxy.ts";
import type { WorkloadRef } from "../../evaluate/index.ts";
import type { ClientOrder, EchoPort, Exchange } from "./exchange.ts";

/** One workload that runs: its network namespace, its Envoy unless it has none, its echo program. */
export interface LabPod {
  readonly workload: WorkloadRef;
  readonly address: string;
  readonly role: "sidecar" | "gateway" | "none";
  readonly serviceAccount: string;
  /** What its Envoy says it is; absent for `none`. */
  readonly proxy?: Proxy;
  readonly ports: readonly EchoPort[];
}

/** One mesh as it is to run. */
export interface LabMesh {
  readonly trustDomain: string;
  readonly pods: readonly LabPod[];
  /** Hosts outside the mesh: their addresses and what listens there, and the names that the proxies' resolver knows. */
  readonly outside: readonly EchoPort[];
  readonly names: Readonly<Record<string, string>>;
  /** Addresses of clients outside the mesh. */
  readonly clients: readonly string[];
  /** A root that the proxies' `ROOTCA` holds beside the mesh's own: clients outside the mesh show certificates of it. */
  readonly clientRootPem: string;
  /** What a proxy is sent now. */
  snapshotFor(proxy: Proxy): Snapshot;
}

/** Where a request starts: in a workload, as its application, or outside the mesh. */
export type Sender = { readonly workload: WorkloadRef } | "outside";

export interface RunningMesh {
  /**
   * Sends the orders, `concurrency` at a time, and gathers what clients, applications and proxies saw of them. Calls don't overlap. While `isWhole`
   * says no, it waits for what comes late (copies that a proxy sends beside a request), for a second or two.
   */
  exchange(sender: Sender, orders: readonly ClientOrder[], concurrency: number, isWhole?: (seen: Exchange) => boolean): Promise<Exchange>;
  /** Pushes what `snapshotFor` gives now to the running proxies; resolves when every one of them serves it. @throws where an Envoy refuses it. */
  update(mesh: Pick<LabMesh, "snapshotFor" | "outside" | "names">): Promise<void>;
  close(): Promise<void>;
}

/** Real Envoys in network namespaces of this machine, for many meshes side by side. */
export interface Lab {
  /** Resolves when every proxy is ready. @throws MeshError with what to do where one can't start. */
  open(mesh: LabMesh): Promise<RunningMesh>;
  /** Ends everything that was started. */
  close(): Promise<void>;
}
