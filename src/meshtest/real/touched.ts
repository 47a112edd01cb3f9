import type { RouteConfiguration } from "../../gen/envoy/config/route/v3/route_pb.js";
import { type MeshView, type Request, evaluate, type Step, type WorkloadRef } from "../../evaluate/index.ts";
import type { Snapshot } from "../../translate/index.ts";
import type { TestMesh } from "../test-mesh.ts";
import { endpointsOf } from "./cluster-endpoints.ts";

/** What the requests of a test can reach: for it, and for no more, something has to run. */
export interface Touched {
  /** `namespace/name`. */
  readonly workloads: ReadonlySet<string>;
  readonly outside: readonly OutsidePort[];
}

export interface OutsidePort {
  readonly address: string;
  readonly port: number;
  readonly host: string;
}

/**
 * Everything that any way of the requests leads to, and every endpoint behind the virtual hosts and clusters on those ways, so that a proxy that
 * decides otherwise than expected finds somebody there. Where a way can't be followed to its end, all of the mesh.
 */
export function touchedBy(requests: readonly Request[], mesh: TestMesh): Touched {
  const record = new Record(mesh);
  for (const request of requests) {
    record.workload(request.from.workload);
    record.address(request.destination.address, request.destination.port);
    const { outcomes } = evaluate(request, record.view);
    for (const { outcome } of outcomes) {
      if (outcome.kind === "undecided") record.everything();
      for (const step of outcome.steps) record.neighbours(step);
    }
  }
  return record.result();
}

class Record {
  readonly view: MeshView;
  readonly #mesh: TestMesh;
  readonly #workloads = new Set<string>();
  readonly #outside = new Map<string, OutsidePort>();
  readonly #followed = new Set<string>();

  constructor(mesh: TestMesh) {
    this.#mesh = mesh;
    this.view = {
      proxyOf: (ref) => {
        this.workload(ref);
        return mesh.proxyOf(ref);
      },
      workloadAt: (address, port) => this.address(address, port),
      externalAt: (address) => mesh.externalAt(address),
      verifyToken: (jwks, token) => mesh.verifyToken(jwks, token),
      answerOf: (request) => mesh.answerOf(request),
      listensOn: (target, port) => mesh.listensOn(target, port),
      tlsOf: (target, port) => mesh.tlsOf(target, port),
    };
  }

  workload({ namespace, name }: WorkloadRef): void {
    this.#workloads.add(`${namespace}/${name}`);
  }

  address(address: string, port: number): WorkloadRef | undefined {
    const workload = this.#mesh.workloadAt(address);
    const host = workload === undefined ? this.#mesh.externalAt(address) : undefined;
    if (workload !== undefined) this.workload(workload);
    if (host !== undefined) this.#outside.set(`${address} ${port}`, { address, port, host });
    return workload;
  }

  everything(): void {
    for (const workload of this.#mesh.workloads) this.workload(workload);
  }

  /** The other places to which the same virtual host or cluster could send. */
  neighbours({ proxy, resource }: Step): void {
    const key = `${proxy} ${resource?.type} ${resource?.name} ${resource?.path}`;
    if (resource === undefined || this.#followed.has(key)) return;
    this.#followed.add(key);
    const [namespace = "", name = ""] = proxy.split("/");
    const snapshot = this.#mesh.proxyOf({ namespace, name })?.snapshot;
    if (snapshot === undefined) return;
    const clusters = resource.type === "cluster" ? [resource.name] : resource.type === "route" ? clustersOf(snapshot, resource) : [];
    for (const cluster of clusters) for (const { address, port } of endpointsOf(snapshot, cluster)) this.address(address, port);
  }

  result(): Touched {
    return { workloads: this.#workloads, outside: [...this.#outside.values()] };
  }
}

function clustersOf(snapshot: Snapshot, { name, path }: NonNullable<Step["resource"]>): readonly string[] {
  const routes = snapshot.get("route")?.get(name)?.message as RouteConfiguration | undefined;
  const index = Number(/^virtualHosts\[(\d+)\]/.exec(path)?.[1] ?? -1);
  return (routes?.virtualHosts[index]?.routes ?? []).flatMap(({ action }) => {
    if (action.case !== "route") return [];
    const { clusterSpecifier: to, requestMirrorPolicies } = action.value;
    const named = to.case === "cluster" ? [to.value] : to.case === "weightedClusters" ? to.value.clusters.map((each) => each.name) : [];
    return [...named, ...requestMirrorPolicies.map(({ cluster }) => cluster)];
  });
}
