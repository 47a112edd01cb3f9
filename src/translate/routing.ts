import { canonicalJson, stableHash } from "../base/stable-hash.ts";
import type { Cluster } from "../ir/cluster.ts";
import type { Finding, Scope } from "../mesh/index.ts";
import type { Service } from "../model/service.ts";
import { toEnvoyCluster } from "./envoy/cluster.ts";
import { toDnsListener } from "./envoy/dns-filter.ts";
import { toEnvoyEndpoints } from "./envoy/endpoint.ts";
import { toEnvoyListener } from "./envoy/listener.ts";
import type { EnvoyResource } from "./envoy/resource.ts";
import { toEnvoyRouteTable } from "./envoy/virtual-host.ts";
import { catchAllClusters, toServiceClusters } from "./istio/cluster.ts";
import { toDnsTable } from "./istio/dns.ts";
import type { Credentials } from "./istio/gateway-tls.ts";
import { toGateway } from "./istio/gateway.ts";
import { type Outbound, toOutbound } from "./istio/outbound.ts";
import { identityOf, type Memo } from "./memo.ts";

export interface Translated {
  readonly resources: readonly EnvoyResource[];
  readonly findings: readonly Finding[];
}

/** Routes, clusters, endpoints and the listeners of a proxy's way out (a gateway's way in), for all proxies that share a scope. */
export function translateRouting(scope: Scope, credentials: Credentials, asked: readonly string[], memo: Memo): Translated {
  const way = scope.proxy.type === "router" ? toGateway(scope, credentials, memo) : toOutbound(scope, memo);
  const listeners = way.listeners.map((listener) =>
    memo.get(`listener ${scope.settings.hash} ${stableHash(listener)}`, () => toEnvoyListener(listener, scope.settings)),
  );
  const routes = way.routeTables.map((table) =>
    memo.get(`table ${table.name} ${table.virtualHosts.map(identityOf).join(",")}`, () => toEnvoyRouteTable(table)),
  );
  const clusters = clustersOf(scope, memo);
  const dns = scope.proxy.dnsCapture && scope.proxy.type === "sidecar" ? [dnsOf(scope, memo)] : [];
  const all = [...listeners, ...routes, ...clusters.resources, ...dns];
  return { resources: scope.proxy.type === "router" ? onlyUsed(all, way, asked) : all, findings: [...way.findings, ...clusters.findings] };
}

function clustersOf(scope: Scope, memo: Memo): Translated {
  const { settings } = scope;
  const own = [...scope.services.values()].map((service) => serviceResources(scope, service, memo));
  const others = memo.get(`catch-all-clusters ${settings.hash}`, () => encode(catchAllClusters(settings), scope));
  return { resources: [...others, ...own.flatMap(({ resources }) => resources)], findings: own.flatMap(({ findings }) => findings) };
}

function serviceResources(scope: Scope, service: Service, memo: Memo): Translated {
  const { settings, proxy } = scope;
  const endpoints = scope.endpointsOf(service);
  const rule = scope.ruleFor(service);
  const { type: proxyType, capture, outsidePorts } = proxy;
  const key = [service.hash, rule?.hash ?? "", endpoints.hash, settings.hash, proxyType, capture, canonicalJson(outsidePorts)].join(" ");
  return memo.get(`service ${key}`, () => {
    const translated = toServiceClusters({ service, rule, endpoints, settings, proxyType, capture, outsidePorts });
    return {
      resources: [...encode(translated.clusters, scope), ...translated.endpoints.map(toEnvoyEndpoints)],
      findings: translated.findings,
    };
  });
}

function encode(clusters: readonly Cluster[], { settings }: Scope): readonly EnvoyResource[] {
  return clusters.map((cluster) => toEnvoyCluster(cluster, settings));
}

function dnsOf({ proxy, services, endpointsOf, settings }: Scope, memo: Memo): EnvoyResource {
  const table = toDnsTable({ namespace: proxy.namespace, services: services.values(), endpointsOf, clusterDomain: settings.clusterDomain });
  return memo.get(`dns ${stableHash(table)}`, () => toDnsListener(table));
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
