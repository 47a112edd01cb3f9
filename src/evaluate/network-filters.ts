import type { TypedExtensionConfig } from "../gen/envoy/config/core/v3/extension_pb.js";
import type { Filter } from "../gen/envoy/config/listener/v3/listener_components_pb.js";
import type { RBAC } from "../gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js";
import type { TcpProxy } from "../gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import type { EnvoyResource } from "../translate/envoy/resource.ts";
import { connectWays, findCluster } from "./cluster.ts";
import { type Config, openConfig } from "./config.ts";
import { phaseOf } from "./connection.ts";
import { type ChainSite, serveHttp } from "./http-connection.ts";
import { refusedBy } from "./http-filters.ts";
import { judge } from "./rbac.ts";
import { type Branch, ends, find, guarded, originsAt, step, type Trail, weigh } from "./trail.ts";
import { Undecidable } from "./undecidable.ts";

/** The filters of one chain in order. */
export function runNetworkFilters(filters: readonly Filter[], chain: ChainSite, trail: Trail): readonly Branch[] {
  const [filter, ...rest] = filters;
  if (filter === undefined) return ends(trail, { kind: "undecided", at: "the end of the network filters", because: [] });
  return guarded(trail, () => {
    const { config, resource } = configOf(chain, filter);
    switch (config.kind) {
      case "networkRbac":
        return runRbac(config.value, filter.name, resource, chain, trail, (next) => runNetworkFilters(rest, chain, next));
      case "httpConnectionManager":
        return serveHttp(chain, config.value, trail);
      case "tcpProxy":
        return passOn(config.value, chain, trail);
      default:
        throw new Undecidable(`filter ${filter.name}`);
    }
  });
}

function configOf(
  { site }: ChainSite,
  { name, configType }: Filter,
): { readonly config: Config; readonly resource: EnvoyResource | undefined } {
  const resource = configType.case === "configDiscovery" ? find(site, "extension", name) : undefined;
  const any = configType.case === "typedConfig" ? configType.value : (resource?.message as TypedExtensionConfig | undefined)?.typedConfig;
  const config = openConfig(any);
  if (config === undefined) throw new Undecidable(`filter ${name}`);
  return { config, resource };
}

function runRbac(
  config: RBAC,
  name: string,
  resource: EnvoyResource | undefined,
  { site, connection, serverName }: ChainSite,
  trail: Trail,
  next: (trail: Trail) => readonly Branch[],
): readonly Branch[] {
  if (config.matcher !== undefined) throw new Undecidable(`filter ${name}`);
  if (config.rules === undefined) return next(step(trail, site, "filter", { resource, detail: `${name}: no rules` }));
  const { source, destination, tls } = connection;
  const verdict = judge(config.rules, {
    destination,
    directSource: source,
    remote: source,
    serverName,
    metadata: {},
    ...(tls !== undefined && { tls }),
  });
  const path = verdict.policy === undefined ? "" : `rules.policies[${JSON.stringify(verdict.policy)}]`;
  const detail = `${name}: ${verdict.allowed ? "allowed" : "denied"} by ${verdict.policy ?? "no policy"}`;
  const judged = step(trail, site, "filter", { resource, path, detail });
  return verdict.allowed ? next(judged) : ends(judged, { kind: "closed", phase: phaseOf(connection), because: refusedBy(resource, path) });
}

/** Bytes go on as they are, whatever they are. */
function passOn(proxy: TcpProxy, chain: ChainSite, trail: Trail): readonly Branch[] {
  if (proxy.tunnelingConfig !== undefined || proxy.metadataMatch !== undefined || proxy.onDemand !== undefined)
    throw new Undecidable("tcp_proxy with tunnels or metadata");
  return clustersOf(proxy).flatMap(({ name, share }) =>
    weigh(
      share,
      guarded(trail, () => passTo(name, share, chain, trail)),
    ),
  );
}

function clustersOf({ clusterSpecifier: to }: TcpProxy): readonly { readonly name: string; readonly share: number }[] {
  if (to.case === "cluster") return [{ name: to.value, share: 1 }];
  if (to.case !== "weightedClusters") throw new Undecidable("tcp_proxy without a cluster");
  const total = to.value.clusters.reduce((sum, { weight }) => sum + weight, 0);
  return to.value.clusters.map(({ name, weight }) => ({ name, share: weight / total }));
}

function passTo(name: string, share: number, chain: ChainSite, trail: Trail): readonly Branch[] {
  const { site, listener, chainPath, connection, inbound } = chain;
  const found = findCluster(site, name);
  const part = share === 1 ? "" : ` (${Math.round(share * 10_000) / 100} %)`;
  const atCluster = step(trail, site, "cluster", {
    resource: found?.resource,
    detail: `${name}${found === undefined ? " does not exist" : ""}${part}`,
  });
  const because = originsAt(listener, chainPath);
  const closed = { kind: "closed", phase: phaseOf(connection), because } as const;
  if (found === undefined) return ends(atCluster, closed);
  const tlsPeer = connection.tls?.peer;
  const leaving = {
    site,
    connection,
    inbound,
    stream: connection.stream,
    isRouted: false,
    trail: atCluster,
    ...(tlsPeer !== undefined && { tlsPeer }),
  };
  const ways = connectWays(leaving, found, new Set());
  if (ways.length === 0) return ends(step(atCluster, site, "endpoint", { resource: found.resource, detail: "none is healthy" }), closed);
  // The client's side was open before the upstream was tried: it sees an end, not a refusal.
  return ways.map(({ branch }) => {
    const { end } = branch;
    if (end.kind !== "closed" && end.kind !== "refused") return branch;
    // An application that ends a connection is nobody's rule.
    const isEnded = end.kind === "closed" && end.phase === "later";
    return { ...branch, end: { ...closed, because: end.because.length > 0 || isEnded ? end.because : because } };
  });
}
