import { create } from "@bufbuild/protobuf";
import {
  type FilterChain as EnvoyFilterChain,
  type FilterChainMatch as EnvoyMatch,
  FilterChainMatchSchema,
  FilterChainSchema,
} from "../../gen/envoy/config/listener/v3/listener_components_pb.js";
import type { FilterChain, FilterChainMatch } from "../../ir/listener.ts";
import { toDuration } from "./any.ts";
import { toCidrRange } from "./cidr-range.ts";
import { httpReferences, toHttpConnectionFilter } from "./http-connection.ts";
import type { ListenerSettings } from "./listener-settings.ts";
import type { EnvoyResource } from "./resource.ts";
import { tcpReferences, toTcpConnectionFilters } from "./tcp-connection.ts";
import { secretReferences, toDownstreamTls } from "./tls.ts";

/** A handshake that takes longer is given up. */
const HANDSHAKE_MS = 15_000;

export function toEnvoyFilterChain(chain: FilterChain, settings: ListenerSettings): EnvoyFilterChain {
  const { connection, tls } = chain;
  const match = toMatch(chain.match);
  return create(FilterChainSchema, {
    name: chain.name,
    ...(match !== undefined && { filterChainMatch: match }),
    filters: connection.kind === "http" ? [toHttpConnectionFilter(connection, settings)] : toTcpConnectionFilters(connection, settings),
    ...(tls !== undefined && { transportSocket: toDownstreamTls(tls), transportSocketConnectTimeout: toDuration(HANDSHAKE_MS) }),
  });
}

/** What the chain needs beside its listener: routes, clusters, slots, users' Secrets. */
export function chainReferences({ connection, tls }: FilterChain): EnvoyResource["references"] {
  const secrets = tls === undefined ? [] : secretReferences(tls);
  return [...(connection.kind === "http" ? httpReferences(connection) : tcpReferences(connection)), ...secrets];
}

function toMatch(match: FilterChainMatch): EnvoyMatch | undefined {
  const { destinationPort, prefixes = [], serverNames = [], transportProtocol, applicationProtocols = [] } = match;
  const all =
    destinationPort === undefined &&
    transportProtocol === undefined &&
    [prefixes, serverNames, applicationProtocols].every((list) => list.length === 0);
  if (all) return undefined;
  return create(FilterChainMatchSchema, {
    ...(destinationPort !== undefined && { destinationPort }),
    prefixRanges: prefixes.map(toCidrRange),
    serverNames: [...serverNames],
    transportProtocol: transportProtocol ?? "",
    applicationProtocols: [...applicationProtocols],
  });
}
