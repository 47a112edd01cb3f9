import type { Endpoint, EndpointGroup } from "../../ir/cluster.ts";
import { matchesLabels, type ServiceEndpoint, type Subset } from "../../mesh/index.ts";
import type { ClusterInputs } from "./cluster.ts";

/**
 * The ready endpoints of one cluster by locality. An endpoint that drains or isn't ready gets no new request, so it isn't among them; where
 * workloads share one address, its sidecar's port stands for the workload's.
 */
export function toEndpointGroup(
  { service, port, endpoints, outsidePorts }: ClusterInputs,
  subset: Subset | undefined,
  cluster: string,
): EndpointGroup {
  const chosen = endpoints.endpoints.filter(({ ready, labels }) => ready && matchesLabels(subset?.labels ?? {}, labels));
  const isDns = service.resolution === "dns" || service.resolution === "dns-round-robin";
  const byLocality = new Map<string, Endpoint[]>();
  for (const source of chosen) {
    const found = toEndpoint(source, port.number);
    if (found === undefined) continue;
    const endpoint = isDns ? atOutsidePort(found, outsidePorts) : found;
    const list = byLocality.get(source.locality);
    if (list === undefined) byLocality.set(source.locality, [endpoint]);
    else list.push(endpoint);
  }
  if (isDns && endpoints.endpoints.length === 0) {
    byLocality.set("", [atOutsidePort({ ...BARE, address: service.host, port: Number(port.targetPort) }, outsidePorts)]);
  }
  const localities = [...byLocality].toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return {
    cluster,
    localities: localities.map(([locality, list]) => ({ locality, priority: 0, endpoints: list })),
    origin: endpoints.origin,
  };
}

const BARE = { weight: 1, health: "healthy", mutualTls: false } as const;

/** The name leads to this machine's relay, which may have to take connections on another port than the one that is meant. */
function atOutsidePort(endpoint: Endpoint, outsidePorts: ClusterInputs["outsidePorts"]): Endpoint {
  return { ...endpoint, port: outsidePorts[`${endpoint.address.toLowerCase()}:${endpoint.port}`] ?? endpoint.port };
}

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
