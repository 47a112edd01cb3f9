import type { CorsPolicy } from "../gen/envoy/extensions/filters/http/cors/v3/cors_pb.js";
import { openConfig } from "./config.ts";
import type { Exchange } from "./http-chain.ts";
import { type HeaderLines, isGrpc, valuesOf } from "./http-message.ts";
import { isPreflight } from "./preflight.ts";
import { answerOnRoute } from "./route-headers.ts";
import { matchesString } from "./string-match.ts";
import { type Branch, localReply, step } from "./trail.ts";
import { Undecidable } from "./undecidable.ts";

const FILTER = "envoy.filters.http.cors";

/** The filter `cors`: answers preflights of the origins that the route allows, and tells browsers so in other responses. */
export function applyCors(exchange: Exchange, name: string, next: (exchange: Exchange) => readonly Branch[]): readonly Branch[] {
  const { message, routing, site, trail } = exchange;
  const policy = policyOf(exchange);
  const origin = valuesOf(message, "origin")[0] ?? "";
  if (policy === undefined || origin === "") return next(exchange);
  const allowed = policy.allowOriginStringMatch.some((matcher) => matchesString(matcher, origin) || isStar(matcher.matchPattern.value));
  const seen = step(trail, site, "filter", {
    resource: routing.resource,
    path: routing.found?.path ?? "",
    detail: `${name}: origin ${origin} is ${allowed ? "allowed" : "not allowed"}`,
  });
  if (isPreflight(message) && (allowed || policy.forwardNotMatchingPreflights === false)) {
    const headers = allowed ? preflightHeaders(policy, origin) : [];
    return answerOnRoute(localReply(seen, { status: 200, grpc: isGrpc(message), because: routing.because, headers }), exchange);
  }
  const branches = next({ ...exchange, trail: seen });
  return allowed ? branches.map((branch) => withHeaders(branch, originHeaders(policy, origin))) : branches;
}

function isStar(value: unknown): boolean {
  return value === "*";
}

function policyOf({ routing }: Exchange): CorsPolicy | undefined {
  const own = routing.found?.route.typedPerFilterConfig[FILTER] ?? routing.host?.typedPerFilterConfig[FILTER];
  if (own === undefined) return undefined;
  const config = openConfig(own);
  if (config?.kind !== "corsPolicy") throw new Undecidable(`filter ${FILTER}`);
  return config.value;
}

function originHeaders(policy: CorsPolicy, origin: string): HeaderLines {
  return [
    ["access-control-allow-origin", origin],
    ...(policy.allowCredentials === true ? [["access-control-allow-credentials", "true"] as const] : []),
    ...optional("access-control-expose-headers", policy.exposeHeaders),
  ];
}

function preflightHeaders(policy: CorsPolicy, origin: string): HeaderLines {
  return [
    ["access-control-allow-origin", origin],
    ...(policy.allowCredentials === true ? [["access-control-allow-credentials", "true"] as const] : []),
    ...optional("access-control-allow-methods", policy.allowMethods),
    ...optional("access-control-allow-headers", policy.allowHeaders),
    ...optional("access-control-max-age", policy.maxAge),
    ...optional("access-control-expose-headers", policy.exposeHeaders),
  ];
}

function optional(name: string, value: string): HeaderLines {
  return value === "" ? [] : [[name, value]];
}

function withHeaders(branch: Branch, headers: HeaderLines): Branch {
  const { end } = branch;
  if (end.kind !== "response") return branch;
  const names = new Set(headers.map(([name]) => name));
  const kept = end.reply.headers.filter(([name]) => !names.has(name));
  return { ...branch, end: { ...end, reply: { ...end.reply, headers: [...kept, ...headers] } } };
}
