import type { Route, RouteMatch, VirtualHost } from "../gen/envoy/config/route/v3/route_components_pb.js";
import type { EnvoyResource } from "../translate/envoy/resource.ts";
import type { NearMiss } from "./decision.ts";
import { matchesHeader, matchesQuery } from "./header-match.ts";
import { type HttpMessage, isGrpc, queryOf, splitQuery } from "./http-message.ts";
import { lowerAscii, matchesWhole } from "./string-match.ts";
import { originsAt } from "./trail.ts";
import { Undecidable } from "./undecidable.ts";

export interface FoundRoute {
  readonly route: Route;
  readonly path: string;
}

/** The first route that matches, and why each one before it did not. */
export function findRoute(
  host: VirtualHost,
  hostPath: string,
  message: HttpMessage,
  resource: EnvoyResource | undefined,
): { readonly found: FoundRoute | undefined; readonly nearMisses: readonly NearMiss[] } {
  if (host.matcher !== undefined) throw new Undecidable("a virtual host's matcher");
  const nearMisses: NearMiss[] = [];
  for (const [i, route] of host.routes.entries()) {
    const path = `${hostPath}.routes[${i}]`;
    const failed = firstFailure(route.match, message);
    if (failed === undefined) return { found: { route, path }, nearMisses };
    nearMisses.push({ name: route.name, path, origins: originsAt(resource, path), failed });
  }
  return { found: undefined, nearMisses };
}

/** The first condition of a route that a request does not meet, in words; undefined where it meets all. */
export function firstFailure(match: RouteMatch | undefined, message: HttpMessage): string | undefined {
  if (match === undefined) return "it has no match";
  if (match.runtimeFraction !== undefined || match.dynamicMetadata.length > 0 || match.tlsContext !== undefined)
    throw new Undecidable("a route's runtime fraction, metadata or TLS condition");
  const path = pathFailure(match, message.path);
  if (path !== undefined) return path;
  if (match.grpc !== undefined && !isGrpc(message)) return "it is no gRPC request";
  const header = match.headers.find((matcher) => !matchesHeader(matcher, message));
  if (header !== undefined) return `header ${header.name}`;
  const query = match.queryParameters.length === 0 ? new Map<string, string>() : queryOf(message.path);
  const parameter = match.queryParameters.find((matcher) => !matchesQuery(matcher, query));
  return parameter === undefined ? undefined : `query parameter ${parameter.name}`;
}

function pathFailure({ pathSpecifier: wanted, caseSensitive = true }: RouteMatch, raw: string): string | undefined {
  const path = splitQuery(raw)[0].split("#")[0] ?? "";
  const fold = (text: string) => (caseSensitive ? text : lowerAscii(text));
  switch (wanted.case) {
    case "prefix":
      return fold(path).startsWith(fold(wanted.value)) ? undefined : `path does not begin with ${wanted.value}`;
    case "path":
      return fold(path) === fold(wanted.value) ? undefined : `path is not ${wanted.value}`;
    case "pathSeparatedPrefix": {
      const rest = fold(path).startsWith(fold(wanted.value)) ? path.slice(wanted.value.length) : undefined;
      return rest === "" || rest?.startsWith("/") ? undefined : `path is not below ${wanted.value}`;
    }
    case "safeRegex":
      return matchesWhole(wanted.value.regex, path) ? undefined : `path does not match ${wanted.value.regex}`;
    default:
      throw new Undecidable(`a route's path condition ${wanted.case ?? ""}`);
  }
}
