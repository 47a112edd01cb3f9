import { create } from "@bufbuild/protobuf";
import { HealthStatus } from "../../gen/envoy/config/core/v3/health_check_pb.js";
import { MetadataSchema } from "../../gen/envoy/config/core/v3/base_pb.js";
import { type ClusterLoadAssignment, ClusterLoadAssignmentSchema } from "../../gen/envoy/config/endpoint/v3/endpoint_pb.js";
import { type LbEndpoint, LbEndpointSchema } from "../../gen/envoy/config/endpoint/v3/endpoint_components_pb.js";
import type { Endpoint, EndpointGroup } from "../../ir/cluster.ts";
import { encodeResource } from "./any.ts";
import { socketAddress } from "./listener.ts";
import type { EnvoyResource } from "./resource.ts";

/** Marks an endpoint whose sidecar ends mTLS; a cluster's `transport_socket_matches` look for it (Istio's names). */
export const TLS_MODE = { filter: "envoy.transport_socket_match", key: "tlsMode", value: "istio" } as const;

const HEALTH = { healthy: HealthStatus.HEALTHY, unhealthy: HealthStatus.UNHEALTHY, draining: HealthStatus.DRAINING } as const;

export function toEnvoyEndpoints(group: EndpointGroup): EnvoyResource {
  const origins = new Map([["", group.origin]]);
  return encodeResource(ClusterLoadAssignmentSchema, toLoadAssignment(group), {
    type: "endpoint",
    name: group.cluster,
    references: [],
    origins,
  });
}

export function toLoadAssignment({ cluster, localities }: EndpointGroup): ClusterLoadAssignment {
  return create(ClusterLoadAssignmentSchema, {
    clusterName: cluster,
    endpoints: localities.map(({ locality, priority, weight, endpoints }) => {
      const [region = "", zone = "", subZone = ""] = locality.split("/");
      const total = endpoints.reduce((sum, endpoint) => sum + endpoint.weight, 0);
      return {
        locality: { region, zone, subZone },
        priority,
        loadBalancingWeight: weight ?? Math.max(1, total),
        lbEndpoints: endpoints.map(toLbEndpoint),
      };
    }),
  });
}

function toLbEndpoint({ address, port, weight, health, mutualTls }: Endpoint): LbEndpoint {
  const { filter, key, value } = TLS_MODE;
  return create(LbEndpointSchema, {
    hostIdentifier: {
      case: "endpoint",
      value: {
        $typeName: "envoy.config.endpoint.v3.Endpoint",
        address: socketAddress(address, port),
        hostname: "",
        additionalAddresses: [],
      },
    },
    healthStatus: HEALTH[health],
    loadBalancingWeight: weight,
    ...(mutualTls && { metadata: create(MetadataSchema, { filterMetadata: { [filter]: { [key]: value } } }) }),
  });
}
