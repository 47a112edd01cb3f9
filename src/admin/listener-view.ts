import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import type { Filter, FilterChain, FilterChainMatch } from "../gen/envoy/config/listener/v3/listener_components_pb.js";
import type { Listener } from "../gen/envoy/config/listener/v3/listener_pb.js";
import { HttpConnectionManagerSchema } from "../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { TcpProxySchema } from "../gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import type { EnvoyResource } from "../translate/envoy/resource.ts";
import { toAddressText } from "./address-text.ts";
import { type Locate, type Source, sourceOf } from "./origins.ts";
import { type RouteRow, rowsOfTable } from "./route-view.ts";

export interface ListenerRow extends Source {
  readonly listener: string;
  readonly address: string;
  readonly chain: string;
  /** In words: `port 8080, tls, sni *.example.com`. */
  readonly match: string;
  /** `route 80`, `routes in place`, `cluster …`, or the filter's name. */
  readonly target: string;
}

export function toListenerRows(resource: EnvoyResource, locate: Locate): readonly ListenerRow[] {
  const listener = resource.message as Listener;
  const row = (chain: FilterChain, path: string, match: string): ListenerRow => ({
    listener: listener.name,
    address: toAddressText(listener.address),
    chain: chain.name,
    match,
    target: toTarget(chain.filters),
    ...sourceOf(resource, path, locate),
  });
  const rows = listener.filterChains.map((chain, i) => row(chain, `filterChains[${i}]`, toChainMatchText(chain.filterChainMatch, chain)));
  if (listener.defaultFilterChain !== undefined)
    rows.push(row(listener.defaultFilterChain, "defaultFilterChain", "what no other chain takes"));
  if (rows.length > 0) return rows;
  const target = listener.listenerFilters.map((filter) => filter.name).join(", ");
  return [
    {
      listener: listener.name,
      address: toAddressText(listener.address),
      chain: "",
      match: "any",
      target,
      ...sourceOf(resource, "", locate),
    },
  ];
}

/** Routes that stand within a listener (inbound chains have one each), for the routes view. */
export function toInlineRouteRows(resource: EnvoyResource, locate: Locate): readonly RouteRow[] {
  const listener = resource.message as Listener;
  return listener.filterChains.flatMap((chain, i) =>
    chain.filters.flatMap((filter) => {
      const routes = httpConnectionManager(filter)?.routeSpecifier;
      if (routes?.case !== "routeConfig") return [];
      return rowsOfTable(routes.value, () => sourceOf(resource, `filterChains[${i}]`, locate));
    }),
  );
}

function toTarget(filters: readonly Filter[]): string {
  for (const filter of filters) {
    const http = httpConnectionManager(filter);
    if (http?.routeSpecifier.case === "rds") return `route ${http.routeSpecifier.value.routeConfigName}`;
    if (http !== undefined) return "routes in place";
    const tcp = unpack(filter, TcpProxySchema);
    if (tcp?.clusterSpecifier.case === "cluster") return `cluster ${tcp.clusterSpecifier.value}`;
    if (tcp?.clusterSpecifier.case === "weightedClusters") {
      return `clusters ${tcp.clusterSpecifier.value.clusters.map(({ name, weight }) => `${name} (${weight})`).join(", ")}`;
    }
  }
  return filters.at(-1)?.name ?? "closes the connection";
}

function httpConnectionManager(filter: Filter) {
  return unpack(filter, HttpConnectionManagerSchema);
}

function unpack<Schema extends DescMessage>(filter: Filter, schema: Schema): MessageShape<Schema> | undefined {
  return filter.configType.case === "typedConfig" ? anyUnpack(filter.configType.value, schema) : undefined;
}

function toChainMatchText(match: FilterChainMatch | undefined, chain: FilterChain): string {
  const parts: string[] = [];
  const port = match?.destinationPort;
  if (port !== undefined) parts.push(`port ${port}`);
  const prefixes = match?.prefixRanges.map((range) => `${range.addressPrefix}/${range.prefixLen ?? 0}`) ?? [];
  if (prefixes.length > 0) parts.push(`to ${prefixes.join(" ")}`);
  if (match !== undefined && match.serverNames.length > 0) parts.push(`sni ${match.serverNames.join(" ")}`);
  if (match !== undefined && match.transportProtocol !== "")
    parts.push(match.transportProtocol === "raw_buffer" ? "plaintext" : match.transportProtocol);
  if (match !== undefined && match.applicationProtocols.length > 0) parts.push(`alpn ${match.applicationProtocols.join(" ")}`);
  if (chain.transportSocket !== undefined) parts.push("ends TLS");
  return parts.length === 0 ? "any" : parts.join(", ");
}
