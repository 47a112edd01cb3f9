import { parseDuration } from "../../base/duration.ts";
import { parseClusterName } from "../../ir/cluster-name.ts";
import type { Destination, ForwardAction, HashPolicy, Route } from "../../ir/route.ts";
import { type Finding, matchesLabels, MESH_GATEWAY, qualifyGateway, type VirtualService } from "../../mesh/index.ts";
import type { JsonPath } from "../../model/position.ts";
import { hashPolicyOf, toCors, toDirectResponse, toFault, toRedirect } from "./route-action.ts";
import { checkRoute } from "./route-check.ts";
import { type Destinations, findDestination } from "./route-destination.ts";
import { toHeaderOperations } from "./route-headers.ts";
import { type HttpMatch, type HttpRoute, isCatchAll, toRouteMatch } from "./route-match.ts";
import { checkRegex } from "./route-regex.ts";
import { toRetryPolicy } from "./route-retry.ts";

/** Who asks: the same VirtualService means different routes at a sidecar, at a gateway and on another port. */
export interface RouteClient {
  /** `mesh`, or the gateways `namespace/name` whose server this is. */
  readonly gateways: readonly string[];
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The port that the client called. */
  readonly port: number;
  readonly isTls: boolean;
}

export interface TranslatedRoutes {
  readonly routes: readonly Route[];
  readonly findings: readonly Finding[];
}

/**
 * A VirtualService's `http` as routes in order, up to one that nothing can get past. A route that can't be translated is left out by itself; what
 * it would have caught is not widened by that, but it may fall to a later route.
 */
export function toRoutes(virtualService: VirtualService, client: RouteClient, destinations: Destinations): TranslatedRoutes {
  const routes: Route[] = [];
  const findings: Finding[] = [];
  for (const [i, http] of (virtualService.spec.http ?? []).entries()) {
    const matches = http.match === undefined || http.match.length === 0 ? [undefined] : http.match;
    for (const [j, match] of matches.entries()) {
      if (match !== undefined && !concerns(match, client, virtualService.namespace)) continue;
      const path = ["spec", "http", i];
      const route = toRoute({ virtualService, http, match, path, matchPath: [...path, "match", j] }, client, destinations, findings);
      if (route === undefined) continue;
      routes.push(route);
      if (isCatchAll(route.match)) return { routes, findings };
    }
  }
  return { routes, findings };
}

interface Source {
  readonly virtualService: VirtualService;
  readonly http: HttpRoute;
  readonly match: HttpMatch | undefined;
  readonly path: JsonPath;
  readonly matchPath: JsonPath;
}

function concerns(match: HttpMatch, client: RouteClient, namespace: string): boolean {
  if (match.port !== undefined && match.port !== 0 && match.port !== client.port) return false;
  const { gateways = [], sourceNamespace = "", sourceLabels = {} } = match;
  if (gateways.length > 0 && !gateways.some((gateway) => client.gateways.includes(qualifyGateway(gateway, namespace)))) return false;
  if (!client.gateways.includes(MESH_GATEWAY)) return true;
  return (sourceNamespace === "" || sourceNamespace === client.namespace) && matchesLabels(sourceLabels, client.labels);
}

function toRoute(source: Source, client: RouteClient, destinations: Destinations, findings: Finding[]): Route | undefined {
  const { virtualService, http, match, path, matchPath } = source;
  const { ref } = virtualService.origin;
  const translated = toRouteMatch(match);
  if ("problem" in translated) {
    findings.push({
      code: "KMK1001",
      message: `${translated.problem}; this route is left out`,
      origin: { ref, path: [...matchPath, translated.field] },
    });
    return undefined;
  }
  const action = toAction(source, client, destinations, findings);
  if (action === undefined) return undefined;
  const headers = toHeaderOperations(http.headers);
  const named = [http.name, match?.name].filter((name) => name !== undefined && name !== "");
  const route: Route = {
    name: named.length === 0 ? virtualService.name : named.join("."),
    match: translated.match,
    action,
    ...(headers.request !== undefined && { requestHeaders: headers.request }),
    ...(headers.response !== undefined && { responseHeaders: headers.response }),
    origin: [{ ref, path: match === undefined ? path : matchPath }],
  };
  const unfit = checkRoute(route);
  if (unfit === undefined) return route;
  findings.push({ code: "KMK1001", message: `${unfit}; this route is left out`, origin: { ref, path } });
  return undefined;
}

function toAction(source: Source, client: RouteClient, destinations: Destinations, findings: Finding[]): Route["action"] | undefined {
  const { virtualService, http, path } = source;
  const leaveOut = (message: string, field: string, code: Finding["code"] = "KMK1001") => {
    findings.push({
      code,
      message: `${message}; this route is left out`,
      origin: { ref: virtualService.origin.ref, path: [...path, field] },
    });
    return undefined;
  };
  if (http.redirect !== undefined)
    return toRedirect(http.redirect, client.port, client.isTls) ?? leaveOut("the status is no redirect", "redirect");
  if (http.directResponse !== undefined) return toDirectResponse(http.directResponse) ?? leaveOut("bytes is no base64", "directResponse");
  if (http.delegate !== undefined) return leaveOut("delegation is not honoured yet", "delegate", "KMK1003");
  if (http.route === undefined || http.route.length === 0) return leaveOut("it says neither route, redirect nor directResponse", "route");
  const rewriteRegex = http.rewrite?.uriRegexRewrite;
  const problem = rewriteRegex?.match === undefined ? undefined : checkRegex(rewriteRegex.match);
  if (problem !== undefined) return leaveOut(`the expression can't be used: ${problem}`, "rewrite");
  return toForward(source, client, destinations, findings);
}

function toForward(source: Source, client: RouteClient, destinations: Destinations, findings: Finding[]): ForwardAction {
  const { virtualService, http, path } = source;
  const find = (spec: Parameters<typeof findDestination>[0], at: JsonPath) => {
    const found = findDestination(spec, virtualService, at, client.port, destinations);
    if (found.finding !== undefined) findings.push(found.finding);
    return found;
  };
  const hashPolicy: HashPolicy[] = [];
  const weighted = (http.route ?? []).map((item, i): Destination & { readonly host?: string } => {
    const { cluster, service } = find(item.destination, [...path, "route", i, "destination"]);
    const policy =
      service === undefined
        ? undefined
        : hashPolicyOf(destinations.ruleFor(service), item.destination.subset ?? "", parseClusterName(cluster)?.port ?? 0);
    if (policy !== undefined) hashPolicy.push(policy);
    const { request, response, host } = toHeaderOperations(item.headers);
    const headers = {
      ...(request !== undefined && { requestHeaders: request }),
      ...(response !== undefined && { responseHeaders: response }),
    };
    return { cluster, weight: item.weight ?? 0, ...headers, ...(host !== undefined && { host }) };
  });
  const rewrite = toRewrite(http, weighted.length === 1 ? weighted[0]?.host : undefined);
  const chosen = chooseDestinations(weighted);
  const mirrors = mirrorsOf(http).map(({ destination, percent, at }) => ({
    cluster: find(destination, [...path, ...at]).cluster,
    percent,
  }));
  const retry = toRetryPolicy(http.retries, destinations.settings.defaultRetry, hashPolicy.length > 0);
  const timeoutMs = http.timeout === undefined ? undefined : parseDuration(http.timeout);
  const fault = http.fault === undefined ? undefined : toFault(http.fault);
  const cors = http.corsPolicy === undefined ? undefined : toCors(http.corsPolicy);
  if (http.corsPolicy !== undefined && cors === undefined) {
    findings.push({
      code: "KMK1001",
      message: "an origin's expression can't be used; the route has no CORS policy",
      origin: { ref: virtualService.origin.ref, path: [...path, "corsPolicy"] },
    });
  }
  return {
    kind: "forward",
    destinations: chosen,
    ...(rewrite !== undefined && { rewrite }),
    ...(timeoutMs !== undefined && timeoutMs > 0 && { timeoutMs }),
    ...(retry !== undefined && { retry }),
    ...(mirrors.length > 0 && { mirrors }),
    ...(hashPolicy.length > 0 && { hashPolicy }),
    ...(cors !== undefined && { cors }),
    ...(fault !== undefined && { fault }),
  };
}

/** A single destination takes everything, whatever its weight; among several, those of weight 0 get nothing and are left out. */
function chooseDestinations(weighted: readonly (Destination & { readonly host?: string })[]): readonly Destination[] {
  const plain = weighted.map(({ host: _host, ...destination }) => destination);
  const [only] = plain;
  if (plain.length === 1 && only !== undefined) return [{ ...only, weight: 100 }];
  const weighing = plain.filter(({ weight }) => weight > 0);
  return weighing.length === 0 && only !== undefined ? [{ ...only, weight: 100 }] : weighing;
}

function toRewrite({ rewrite, headers }: HttpRoute, destinationHost: string | undefined): ForwardAction["rewrite"] {
  const authority = rewrite?.authority === "" ? undefined : rewrite?.authority;
  const host = authority ?? toHeaderOperations(headers).host ?? destinationHost;
  const { match, rewrite: substitution } = rewrite?.uriRegexRewrite ?? {};
  const path =
    match !== undefined
      ? { pathRegex: { match, substitution: substitution ?? "" } }
      : rewrite?.uri !== undefined && rewrite.uri !== ""
        ? { path: rewrite.uri }
        : undefined;
  return path === undefined && host === undefined ? undefined : { ...path, ...(host !== undefined && { host }) };
}

/** 100 % where no percentage is given, none at 0. */
function mirrorsOf(http: HttpRoute) {
  const { mirror, mirrors = [] } = http;
  const single =
    mirror === undefined
      ? []
      : [
          {
            destination: mirror,
            percent: http.mirrorPercentage?.value ?? http.mirrorPercent ?? http.mirror_percent ?? 100,
            at: ["mirror"] as JsonPath,
          },
        ];
  const several = mirrors.map(({ destination, percentage }, i) => ({
    destination,
    percent: percentage?.value ?? 100,
    at: ["mirrors", i, "destination"] as JsonPath,
  }));
  return [...single, ...several].filter(({ percent }) => percent > 0);
}
