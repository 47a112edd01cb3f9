import type {
  HeaderMatcher,
  QueryParameterMatcher,
  Route,
  RouteAction,
  RouteMatch,
} from "../gen/envoy/config/route/v3/route_components_pb.js";
import type { RouteConfiguration } from "../gen/envoy/config/route/v3/route_pb.js";
import type { EnvoyResource } from "../translate/envoy/resource.ts";
import { type Locate, type Source, sourceOf } from "./origins.ts";

export interface RouteRow extends Source {
  /** The route configuration: `80`, `http.8080`, or the inbound cluster's name. */
  readonly table: string;
  readonly virtualHost: string;
  readonly domains: readonly string[];
  readonly name: string;
  /** In words: `prefix /api, header x-user`. */
  readonly match: string;
  /** Clusters with their weights, `redirect 301 …` or `respond 404`. */
  readonly target: string;
}

export function toRouteRows(resource: EnvoyResource, locate: Locate): readonly RouteRow[] {
  return rowsOfTable(resource.message as RouteConfiguration, (path) => sourceOf(resource, path, locate));
}

/** Rows of a table that stands alone or within a listener. */
export function rowsOfTable(table: RouteConfiguration, source: (path: string) => Source): readonly RouteRow[] {
  return table.virtualHosts.flatMap((host, i) => {
    const common = { table: table.name, virtualHost: host.name, domains: host.domains };
    if (host.routes.length === 0) return [{ ...common, name: "", match: "", target: "none: 404", ...source(`virtualHosts[${i}]`) }];
    return host.routes.map((route, j) => ({
      ...common,
      name: route.name,
      match: route.match === undefined ? "" : toMatchText(route.match),
      target: toTargetText(route),
      ...source(`virtualHosts[${i}].routes[${j}]`),
    }));
  });
}

function toMatchText(match: RouteMatch): string {
  const parts = [toPathText(match), ...match.headers.map(toHeaderText), ...match.queryParameters.map(toQueryText)];
  return match.caseSensitive === false ? [...parts, "any case"].join(", ") : parts.join(", ");
}

function toPathText({ pathSpecifier: path }: RouteMatch): string {
  switch (path.case) {
    case "prefix":
      return `prefix ${path.value}`;
    case "path":
      return `exact ${path.value}`;
    case "pathSeparatedPrefix":
      return `prefix ${path.value} (whole segments)`;
    case "safeRegex":
      return `regex ${path.value.regex}`;
    default:
      return path.case ?? "any";
  }
}

function toHeaderText(header: HeaderMatcher): string {
  const { case: kind, value } = header.headerMatchSpecifier;
  const text = kind === "stringMatch" ? toStringText(value.matchPattern) : "";
  return `header ${header.invertMatch ? "not " : ""}${header.name}${text}`;
}

function toQueryText(query: QueryParameterMatcher): string {
  const { case: kind, value } = query.queryParameterMatchSpecifier;
  return `query ${query.name}${kind === "stringMatch" ? toStringText(value.matchPattern) : ""}`;
}

function toStringText(pattern: { readonly case?: string | undefined; readonly value?: unknown }): string {
  if (pattern.case === "exact") return `=${String(pattern.value)}`;
  if (pattern.case === "safeRegex") return `=~${(pattern.value as { readonly regex: string }).regex}`;
  return ` ${pattern.case ?? "any"} ${String(pattern.value)}`;
}

function toTargetText({ action }: Route): string {
  switch (action.case) {
    case "route":
      return toClustersText(action.value);
    case "redirect": {
      const { hostRedirect, portRedirect, schemeRewriteSpecifier, pathRewriteSpecifier } = action.value;
      const scheme =
        schemeRewriteSpecifier.case === "schemeRedirect"
          ? `${schemeRewriteSpecifier.value}://`
          : schemeRewriteSpecifier.case === "httpsRedirect"
            ? "https://"
            : "";
      const path = typeof pathRewriteSpecifier.value === "string" ? pathRewriteSpecifier.value : "";
      return `redirect ${scheme}${hostRedirect}${portRedirect === 0 ? "" : `:${portRedirect}`}${path}`.trimEnd();
    }
    case "directResponse":
      return `respond ${action.value.status}`;
    default:
      return action.case ?? "none";
  }
}

function toClustersText({ clusterSpecifier: specifier }: RouteAction): string {
  if (specifier.case === "cluster") return specifier.value;
  if (specifier.case !== "weightedClusters") return specifier.case ?? "none";
  return specifier.value.clusters.map(({ name, weight }) => `${name} (${weight ?? 0})`).join(", ");
}
