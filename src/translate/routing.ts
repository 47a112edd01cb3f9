import { Interner } from "../base/intern.ts";
import { part } from "../base/part.ts";
import { canonicalJson } from "../base/stable-hash.ts";
import type { Listener } from "../ir/listener.ts";
import type { DestinationRule, EndpointSet, Finding, MeshSettings, ProxyView, Scope } from "../mesh/index.ts";
import type { Service } from "../model/service.ts";
import { toEnvoyCluster } from "./envoy/cluster.ts";
import { toDnsListener } from "./envoy/dns-filter.ts";
import { toEnvoyEndpoints } from "./envoy/endpoint.ts";
import { toEnvoyListener } from "./envoy/listener.ts";
import type { EnvoyResource } from "./envoy/resource.ts";
import { toEnvoyRouteTable } from "./envoy/virtual-host.ts";
import { catchAllClusters, type ServiceInputs, toServiceClusters } from "./istio/cluster.ts";
import { NO_RULE, type Rule } from "./istio/destination-rule.ts";
import { toDnsTable } from "./istio/dns.ts";
import type { Credentials } from "./istio/gateway-tls.ts";
import { toGateway } from "./istio/gateway.ts";
import { type Outbound, toOutbound } from "./istio/outbound.ts";
import { identityOf, type Memo } from "./memo.ts";
import { sameListener } from "./same-listener.ts";

export interface Translated {
  readonly resources: readonly EnvoyResource[];
  readonly findings: readonly Finding[];
}

/** Routes, clusters, endpoints and the listeners of a proxy's way out (a gateway's way in), for all proxies that share a scope. */
export function translateRouting(scope: Scope, credentials: Credentials, asked: readonly string[], memo: Memo): Translated {
  const way = scope.proxy.type === "router" ? toGateway(scope, credentials, memo) : toOutbound(scope, memo);
  const listeners = way.listeners.map((listener) => encodedListener(sameListener(listener, memo), scope.settings));
  const routes = way.routeTables.map((table) =>
    memo.get(`table ${table.name} ${table.virtualHosts.map(identityOf).join(",")}`, () => toEnvoyRouteTable(table)),
  );
  const clusters = clustersOf(scope);
  const dns = scope.proxy.dnsCapture && scope.proxy.type === "sidecar" ? [dnsOf(scope, memo)] : [];
  const all = [...listeners, ...routes, ...clusters.resources, ...dns];
  return { resources: scope.proxy.type === "router" ? onlyUsed(all, way, asked) : all, findings: [...way.findings, ...clusters.findings] };
}

const encodedListener = part((listener: Listener, settings: MeshSettings) => toEnvoyListener(listener, settings));

function clustersOf({ settings, proxy, services, ruleFor, endpointsOf }: Scope): Translated {
  const client = clientOf(proxy);
  const own = [...services.values()].map((service) =>
    serviceResources(service, ruleFor(service) ?? NO_RULE, endpointsOf(service), settings, client),
  );
  return {
    resources: [...otherResources(settings), ...own.flatMap(({ resources }) => resources)],
    findings: own.flatMap(({ findings }) => findings),
  };
}

/** What clusters depend on at a proxy. */
type ClusterClient = Pick<ServiceInputs, "proxyType" | "capture" | "outsidePorts">;

const clients = new Interner<ClusterClient>();

/** Held by the view, for as long as there is one. */
const clientOf = part(
  ({ type: proxyType, capture, outsidePorts }: ProxyView): ClusterClient =>
    clients.get(canonicalJson([proxyType, capture, outsidePorts]), () => ({ proxyType, capture, outsidePorts })),
);

const serviceResources = part(
  (service: Service, rule: Rule, endpoints: EndpointSet, settings: MeshSettings, client: ClusterClient): Translated => {
    const own = rule === NO_RULE ? undefined : (rule as DestinationRule);
    const translated = toServiceClusters({ service, rule: own, endpoints, settings, ...client });
    return {
      resources: [
        ...translated.clusters.map((cluster) => toEnvoyCluster(cluster, settings)),
        ...translated.endpoints.map(toEnvoyEndpoints),
      ],
      findings: translated.findings,
    };
  },
);

const otherResources = part((settings: MeshSettings) => catchAllClusters(settings).map((cluster) => toEnvoyCluster(cluster, settings)));

function dnsOf({ proxy, services, endpointsOf, settings }: Scope, memo: Memo): EnvoyResource {
  const listener = toDnsListener(toDnsTable({ namespace: proxy.namespace, services: services.values(), endpointsOf, settings }));
  return memo.get(`dns ${listener.version}`, () => listener);
}

/** A gateway is sent the clusters that its routes name and those of its authorizers (`asked`), and no others. */
function onlyUsed(resources: readonly EnvoyResource[], { listeners }: Outbound, asked: readonly string[]): readonly EnvoyResource[] {
  if (listeners.length === 0 && asked.length === 0) return resources.filter(({ type }) => type !== "cluster" && type !== "endpoint");
  const used = new Set<string>(["BlackHoleCluster", ...asked]);
  for (const { type, references } of resources) {
    if (type !== "listener" && type !== "route") continue;
    for (const reference of references) if (reference.type === "cluster") used.add(reference.name);
  }
  return resources.filter(({ type, name }) => (type !== "cluster" && type !== "endpoint") || used.has(name));
}
