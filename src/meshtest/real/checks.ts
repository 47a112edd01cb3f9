import type { ProxyLogLine, WorkloadRef } from "../../evaluate/index.ts";
import type { TestMesh } from "../test-mesh.ts";
import { endpointsOf } from "./cluster-endpoints.ts";
import type { ClientOrder, Exchange } from "./exchange.ts";
import { copiedTo, isShadow } from "./mirrors.ts";

/**
 * Leaves out what authorizers were asked on the way (action CUSTOM), and by the receivers of copies, which may not have logged anything yet: they are
 * applications like any other, and a check looks like a request. One that gets the request itself, too, keeps all; one that gets copies keeps those.
 */
export function withoutChecks(exchange: Exchange, orders: readonly ClientOrder[], mesh: TestMesh): Exchange {
  const { arrivals, log } = exchange;
  const copied = copiedTo(log, mesh);
  const asking = [...log.map(({ workload }) => workload), ...copied.flatMap((address) => mesh.workloadAt(address) ?? [])];
  const asked = new Set(asking.flatMap((workload) => authorizersOf(workload, mesh)));
  if (asked.size === 0) return exchange;
  const wanted = new Set([
    ...orders.map(({ destination }) => nameAt(destination.address, mesh)),
    ...log.filter(({ direction }) => direction !== "inbound").map((line) => nameAt(hostOf(line), mesh)),
  ]);
  const copiesAt = new Set(copied.map((address) => nameAt(address, mesh)));
  const isCheck = (name: string, authority: string | undefined) =>
    asked.has(name) && !wanted.has(name) && !(copiesAt.has(name) && isShadow(authority));
  return {
    ...exchange,
    arrivals: arrivals.filter(({ at, request }) => !isCheck(at, request?.authority)),
    log: log.filter(({ workload, direction, authority }) => direction !== "inbound" || !isCheck(nameOf(workload), authority)),
  };
}

/** As `Arrival.at` names them. */
function authorizersOf(workload: WorkloadRef, mesh: TestMesh): readonly string[] {
  const snapshot = mesh.proxyOf(workload)?.snapshot;
  if (snapshot === undefined) return [];
  const clusters = [...(snapshot.get("extension")?.values() ?? [])].flatMap(({ references }) =>
    references.filter(({ type }) => type === "cluster"),
  );
  return clusters.flatMap(({ name }) => endpointsOf(snapshot, name).flatMap(({ address }) => nameAt(address, mesh) ?? []));
}

function nameAt(address: string, mesh: TestMesh): string | undefined {
  const workload = mesh.workloadAt(address);
  if (workload !== undefined) return nameOf(workload);
  const external = mesh.externalAt(address);
  return external === undefined ? undefined : `external:${external}`;
}

function nameOf({ namespace, name }: WorkloadRef): string {
  return `${namespace}/${name}`;
}

function hostOf({ upstreamHost = "" }: ProxyLogLine): string {
  return upstreamHost.slice(0, upstreamHost.lastIndexOf(":"));
}
