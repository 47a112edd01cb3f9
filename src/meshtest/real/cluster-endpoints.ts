import type { Cluster } from "../../gen/envoy/config/cluster/v3/cluster_pb.js";
import type { ClusterLoadAssignment } from "../../gen/envoy/config/endpoint/v3/endpoint_pb.js";
import type { Snapshot } from "../../translate/index.ts";

/** Everybody behind a cluster, healthy or not; an address may be a name that the proxy looks up. */
export function endpointsOf(snapshot: Snapshot, name: string): readonly { readonly address: string; readonly port: number }[] {
  const cluster = snapshot.get("cluster")?.get(name)?.message as Cluster | undefined;
  const discovered = snapshot.get("endpoint")?.get(cluster?.edsClusterConfig?.serviceName || name);
  const assignment = cluster?.loadAssignment ?? (discovered?.message as ClusterLoadAssignment | undefined);
  return (assignment?.endpoints ?? []).flatMap(({ lbEndpoints }) =>
    lbEndpoints.flatMap(({ hostIdentifier: host }) => {
      const at = host.case === "endpoint" ? host.value.address?.address : undefined;
      return at?.case === "socketAddress" && at.value.portSpecifier.case === "portValue"
        ? [{ address: at.value.address, port: at.value.portSpecifier.value }]
        : [];
    }),
  );
}
