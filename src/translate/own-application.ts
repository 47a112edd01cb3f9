import { stableHash } from "../base/stable-hash.ts";
import type { Mesh, Scope } from "../mesh/index.ts";
import type { Proxy } from "../model/proxy.ts";
import { toEnvoyCluster } from "./envoy/cluster.ts";
import { toExtensions } from "./envoy/extension.ts";
import { toEnvoyListener } from "./envoy/listener.ts";
import { inboundInputs, toInbound } from "./istio/inbound.ts";
import { policyInputs, toProxyPolicies } from "./istio/inbound-policies.ts";
import type { Memo } from "./memo.ts";
import type { Translated } from "./routing.ts";

/** A sidecar's way in to its own application. Gateways have none. */
export function translateInbound(mesh: Mesh, proxy: Proxy, memo: Memo): Translated {
  if (proxy.type === "router") return { resources: [], findings: [] };
  const inputs = inboundInputs(mesh, proxy);
  return memo.get(`inbound ${mesh.settings.hash} ${stableHash(inputs)}`, () => {
    const { listeners, clusters } = toInbound(inputs);
    const resources = [
      ...listeners.map((listener) => toEnvoyListener(listener, mesh.settings)),
      ...clusters.map((cluster) => toEnvoyCluster(cluster, mesh.settings)),
    ];
    return { resources, findings: [] };
  });
}

/** What the policy slots of a proxy hold. */
export function translatePolicies(mesh: Mesh, proxy: Proxy, scope: Scope, memo: Memo): Translated {
  const role = proxy.type === "router" ? "gateway" : "sidecar";
  const inputs = policyInputs(mesh, proxy, scope);
  return memo.get(`policies ${role} ${inputs.key}`, () => {
    const { policies, findings } = toProxyPolicies(inputs);
    return { resources: toExtensions(role, policies), findings };
  });
}
