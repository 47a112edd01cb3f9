import { type Cluster, Cluster_DiscoveryType } from "../gen/envoy/config/cluster/v3/cluster_pb.js";
import { HealthStatus } from "../gen/envoy/config/core/v3/health_check_pb.js";
import type { ClusterLoadAssignment } from "../gen/envoy/config/endpoint/v3/endpoint_pb.js";
import type { LbEndpoint } from "../gen/envoy/config/endpoint/v3/endpoint_components_pb.js";
import { parseClusterName } from "../ir/cluster-name.ts";
import type { EnvoyResource } from "../translate/envoy/resource.ts";
import { toAddressText } from "./address-text.ts";
import { type Locate, type Source, sourceOf } from "./origins.ts";

export interface ClusterRow extends Source {
  readonly cluster: string;
  /** Parts of Istio's form of the name; the whole name stands for the host where it has another form. */
  readonly host: string;
  readonly port: string;
  readonly subset: string;
  readonly direction: string;
  /** How endpoints are found: `EDS`, `STRICT_DNS`, … */
  readonly discovery: string;
  /** `TLS`, `by endpoint` (mTLS where the endpoint has a sidecar), or `plaintext`. */
  readonly tls: string;
}

export function toClusterRow(resource: EnvoyResource, locate: Locate): ClusterRow {
  const cluster = resource.message as Cluster;
  const name = parseClusterName(cluster.name);
  return {
    cluster: cluster.name,
    host: name?.host ?? cluster.name,
    port: name === undefined ? "" : String(name.port),
    subset: name?.subset ?? "",
    direction: name?.direction ?? "",
    discovery: toDiscoveryText(cluster),
    tls: cluster.transportSocketMatches.length > 0 ? "by endpoint" : cluster.transportSocket === undefined ? "plaintext" : "TLS",
    ...sourceOf(resource, "", locate),
  };
}

function toDiscoveryText({ clusterDiscoveryType: discovery }: Cluster): string {
  if (discovery.case === "type") return Cluster_DiscoveryType[discovery.value] ?? "";
  return discovery.case === "clusterType" ? discovery.value.name : "STATIC";
}

export interface EndpointRow extends Source {
  readonly cluster: string;
  readonly address: string;
  readonly health: string;
  readonly weight: number;
  readonly priority: number;
  readonly locality: string;
}

/** Of EDS, and of clusters that carry their endpoints themselves. */
export function toEndpointRows(resource: EnvoyResource, locate: Locate): readonly EndpointRow[] {
  const assignment =
    resource.type === "endpoint" ? (resource.message as ClusterLoadAssignment) : (resource.message as Cluster).loadAssignment;
  if (assignment === undefined) return [];
  const path = resource.type === "endpoint" ? "" : "loadAssignment.";
  return assignment.endpoints.flatMap((group, i) =>
    group.lbEndpoints.map((endpoint, j) => ({
      cluster: assignment.clusterName === "" ? resource.name : assignment.clusterName,
      address: toEndpointAddress(endpoint),
      health: toHealthText(endpoint.healthStatus),
      weight: endpoint.loadBalancingWeight ?? 1,
      priority: group.priority,
      locality: [group.locality?.region, group.locality?.zone, group.locality?.subZone]
        .filter((part) => part !== undefined && part !== "")
        .join("/"),
      ...sourceOf(resource, `${path}endpoints[${i}].lbEndpoints[${j}]`, locate),
    })),
  );
}

function toHealthText(status: HealthStatus): string {
  return status === HealthStatus.UNKNOWN ? "HEALTHY" : (HealthStatus[status] ?? "");
}

function toEndpointAddress({ hostIdentifier: host }: LbEndpoint): string {
  return host.case === "endpoint" ? toAddressText(host.value.address) : "";
}
