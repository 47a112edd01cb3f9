import { type Cluster, Cluster_LbPolicy as LbPolicy } from "../gen/envoy/config/cluster/v3/cluster_pb.js";
import type { RouteAction_HashPolicy } from "../gen/envoy/config/route/v3/route_components_pb.js";
import type { Exchange } from "./http-chain.ts";
import { queryOf, valuesOf } from "./http-message.ts";

/**
 * What of a request decides which endpoint a hashing cluster sends it to: equal requests go to one. Undefined where any endpoint may get it, also
 * for a cookie that the proxy would have to make up, since the next request doesn't bring it.
 */
export function hashedBy({ lbPolicy }: Cluster, exchange: Exchange): string | undefined {
  if (lbPolicy !== LbPolicy.RING_HASH && lbPolicy !== LbPolicy.MAGLEV) return undefined;
  const { action } = exchange.routing.found?.route ?? {};
  if (action?.case !== "route") return undefined;
  for (const { policySpecifier } of action.value.hashPolicy) {
    const found = describe(policySpecifier, exchange);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Whether the answer brings the client a cookie, by which its next requests are hashed. */
export function makesCookie({ lbPolicy }: Cluster, exchange: Exchange): boolean {
  if (lbPolicy !== LbPolicy.RING_HASH && lbPolicy !== LbPolicy.MAGLEV) return false;
  const { action } = exchange.routing.found?.route ?? {};
  const policies = action?.case === "route" ? action.value.hashPolicy : [];
  return policies.some(
    ({ policySpecifier: policy }) => policy.case === "cookie" && policy.value.ttl !== undefined && describe(policy, exchange) === undefined,
  );
}

function describe(policy: RouteAction_HashPolicy["policySpecifier"], { message }: Exchange): string | undefined {
  switch (policy.case) {
    case "header":
      return valuesOf(message, policy.value.headerName.toLowerCase()).length > 0 ? `header ${policy.value.headerName}` : undefined;
    case "cookie": {
      const pairs = valuesOf(message, "cookie").flatMap((line) => line.split(";"));
      return pairs.some((pair) => pair.trim().startsWith(`${policy.value.name}=`)) ? `cookie ${policy.value.name}` : undefined;
    }
    case "queryParameter":
      return queryOf(message.path).has(policy.value.name) ? `query parameter ${policy.value.name}` : undefined;
    case "connectionProperties":
      return policy.value.sourceIp ? "the client's address" : undefined;
    default:
      return undefined;
  }
}
