import { create } from "@bufbuild/protobuf";
import { RouteConfigurationSchema } from "../../gen/envoy/config/route/v3/route_pb.js";
import {
  type VirtualHost as EnvoyVirtualHost,
  VirtualHost_TlsRequirementType as TlsRequirement,
  VirtualHostSchema,
} from "../../gen/envoy/config/route/v3/route_components_pb.js";
import { part } from "../../base/part.ts";
import type { RouteTable, VirtualHost } from "../../ir/route.ts";
import type { Origin } from "../../model/origin.ts";
import { type Chunk, chunkedResource, encodeChunk } from "./any.ts";
import type { EnvoyResource } from "./resource.ts";
import { toEnvoyRoute } from "./route.ts";

/** What RDS carries under the table's name: hosts that didn't change are not encoded again. */
export function toEnvoyRouteTable(table: RouteTable): EnvoyResource {
  const head = {
    name: table.name,
    // A route to a cluster that is gone answers 503 by itself instead of making Envoy refuse the whole table.
    validateClusters: false,
    ignorePortInHostMatching: table.ignorePortInHost,
    requestHeadersToRemove: [...(table.requestHeadersToRemove ?? [])],
    maxDirectResponseBodySizeBytes: LARGEST_BODY,
  };
  return chunkedResource({
    type: "route",
    name: table.name,
    chunks: [encodeChunk(RouteConfigurationSchema, head), ...table.virtualHosts.map(hostChunk)],
    message: () => create(RouteConfigurationSchema, { ...head, virtualHosts: table.virtualHosts.map(toEnvoyVirtualHost) }),
    references: () => clustersOf(table),
    origins: () => originsOf(table),
  });
}

const hostChunk = part((host: VirtualHost): Chunk => encodeChunk(RouteConfigurationSchema, { virtualHosts: [toEnvoyVirtualHost(host)] }));

/** As much as a resource may hold; Envoy's own limit is 4 KiB. */
const LARGEST_BODY = 1_048_576;

function toEnvoyVirtualHost(host: VirtualHost): EnvoyVirtualHost {
  return create(VirtualHostSchema, {
    name: host.name,
    domains: [...host.domains],
    routes: host.routes.map(toEnvoyRoute),
    // The application is told of its caller's attempts, which the one before it must not count anew.
    includeRequestAttemptCount: host.routes.some(
      ({ action }) => action.kind === "forward" && action.retry !== undefined && action.timedByCaller !== true,
    ),
    ...(host.requireTls === "all" && { requireTls: TlsRequirement.ALL }),
  });
}

function clustersOf({ virtualHosts }: RouteTable): EnvoyResource["references"] {
  const names = new Set<string>();
  for (const { routes } of virtualHosts) {
    for (const { action } of routes) {
      if (action.kind !== "forward") continue;
      for (const { cluster } of [...action.destinations, ...(action.mirrors ?? [])]) names.add(cluster);
    }
  }
  return [...names].map((name) => ({ type: "cluster", name }));
}

function originsOf({ virtualHosts }: RouteTable): ReadonlyMap<string, readonly Origin[]> {
  const origins = new Map<string, readonly Origin[]>();
  for (const [i, host] of virtualHosts.entries()) {
    origins.set(`virtualHosts[${i}]`, host.origin);
    for (const [j, { origin }] of host.routes.entries()) origins.set(`virtualHosts[${i}].routes[${j}]`, origin);
  }
  return origins;
}
