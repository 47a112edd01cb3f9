import type { Endpoint, EndpointGroup } from "../../ir/cluster.ts";
import { matchesLabels, type ServiceEndpoint, type Subset } from "../../mesh/index.ts";
import type { ClusterInputs } from "./cluster.ts";

/**
 * The ready endpoints of one cluster by locality. An endpoint that drains or isn't ready gets no new request, so it isn't among them; where
 * workloads share one address, its sidecar's port stands for the workload's.
 */
export function toEndpointGroup({ service, port, endpoints }: ClusterInputs, subset: Subset | undefined, cluster: string): EndpointGroup {
  const chosen = endpoints.endpoints.filter(({ ready, labels }) => ready && matchesLabels(subset?.labels ?? {}, labels));
  const byLocality = new Map<string, Endpoint[]>();
  for (const source of chosen) {
    const endpoint = toEndpoint(source, port.number);
    if (endpoint === undefined) continue;
    const list = byLocality.get(source.locality);
    if (list === undefined) byLocality.set(source.locality, [endpoint]);
    else list.push(endpoint);
  }
  const isDns = service.resolution === "dns" || service.resolution === "dns-round-robin";
  if (isDns && endpoints.endpoints.length === 0) byLocality.set("", [{ ...BARE, address: service.host, port: Number(port.targetPort) }]);
  const localities = [...byLocality].toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return {
    cluster,
    localities: localities.map(([locality, list]) => ({ locality, priority: 0, endpoints: list })),
    origin: endpoints.origin,
  };
}

const BARE = { weight: 1, health: "healthy", mutualTls: false } as const;

function toEndpoint({ address, ports, weight, hasSidecar, workload }: ServiceEndpoint, servicePort: number): Endpoint | undefined {
  const own = ports.get(servicePort);
  if (own === undefined || address === "") return undefined;
  return {
    ...BARE,
    address,
    port: own.sidecarPort ?? own.port,
    weight: Math.max(1, weight),
    mutualTls: hasSidecar && own.plaintext !== true,
    ...(workload !== "" && { workload }),
  };
}
