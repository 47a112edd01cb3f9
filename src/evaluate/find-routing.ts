import type { RouteConfiguration } from "../gen/envoy/config/route/v3/route_pb.js";
import { VirtualHost_TlsRequirementType as TlsRequirement } from "../gen/envoy/config/route/v3/route_components_pb.js";
import type { HttpConnectionManager } from "../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import type { EnvoyResource } from "../translate/envoy/resource.ts";
import type { Routing } from "./http-chain.ts";
import { type HttpMessage, valuesOf } from "./http-message.ts";
import { findRoute } from "./route-match.ts";
import { find, originsAt, type Site, step, type Trail } from "./trail.ts";
import { Undecidable } from "./undecidable.ts";
import { findVirtualHost } from "./virtual-host-match.ts";

export interface RouteSource {
  readonly routes: RouteConfiguration;
  readonly resource: EnvoyResource;
  /** Path of the routes within the resource: "" for RDS. */
  readonly prefix: string;
}

/** The manager's routes: its own, or those that RDS brings; undefined where the proxy still waits for them. */
export function routesOf(
  site: Site,
  { routeSpecifier }: HttpConnectionManager,
  listener: EnvoyResource,
  chainPath: string,
): RouteSource | undefined {
  if (routeSpecifier.case === "routeConfig") return { routes: routeSpecifier.value, resource: listener, prefix: `${chainPath}.` };
  if (routeSpecifier.case !== "rds") throw new Undecidable(`routes by ${routeSpecifier.case ?? "nothing"}`);
  const resource = find(site, "route", routeSpecifier.value.routeConfigName);
  return resource === undefined ? undefined : { routes: resource.message as RouteConfiguration, resource, prefix: "" };
}

/** The virtual host and the route of a request. One that doesn't say yet how it came (`x-forwarded-proto`) has no route (Envoy's rule). */
export function findRouting(
  site: Site,
  source: RouteSource,
  message: HttpMessage,
  trail: Trail,
): { readonly routing: Routing; readonly trail: Trail } {
  const { routes, resource, prefix } = source;
  if (routes.vhds !== undefined) throw new Undecidable("virtual hosts on demand");
  const match = findVirtualHost(routes, message.authority);
  if (match === undefined) {
    const detail = `no virtual host for ${message.authority}`;
    const routing = { ...source, hostPath: "", redirectsToTls: false, because: originsAt(resource, prefix) };
    return { routing, trail: step(trail, site, "virtual host", { resource, path: prefix.slice(0, -1), detail }) };
  }
  const { host, index } = match;
  const hostPath = `${prefix}virtualHosts[${index}]`;
  const atHost = step(trail, site, "virtual host", { resource, path: hostPath, detail: `${host.name} for ${message.authority}` });
  const known = { ...source, host, hostPath };
  const proto = valuesOf(message, "x-forwarded-proto")[0] ?? "";
  if (proto === "") return { routing: { ...known, redirectsToTls: false, because: [] }, trail: atHost };
  if (host.requireTls !== TlsRequirement.NONE && proto !== "https") {
    const detail = "the virtual host takes TLS only";
    const routing = { ...known, redirectsToTls: true, because: originsAt(resource, hostPath) };
    return { routing, trail: step(atHost, site, "route", { resource, path: hostPath, detail }) };
  }
  const { found, nearMisses } = findRoute(host, hostPath, message, resource);
  const detail = found === undefined ? "no route matches" : `route ${found.route.name === "" ? found.path : found.route.name}`;
  const path = found?.path ?? hostPath;
  const routing = { ...known, ...(found !== undefined && { found }), redirectsToTls: false, because: originsAt(resource, path) };
  return { routing, trail: step(atHost, site, "route", { resource, path, detail, nearMisses }) };
}
