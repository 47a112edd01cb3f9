import type { ExtAuthz, HttpService } from "../gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.js";
import type { ListStringMatcher } from "../gen/envoy/type/matcher/v3/string_pb.js";
import type { EnvoyResource } from "../translate/envoy/resource.ts";
import { connectThrough, findCluster } from "./cluster.ts";
import { toMs } from "./duration.ts";
import { findRouting } from "./find-routing.ts";
import type { Exchange } from "./http-chain.ts";
import { type HeaderLines, type HttpMessage, isGrpc, isWebSocket, withHeader } from "./http-message.ts";
import { matchesMetadata } from "./metadata-match.ts";
import { asOwnRequest } from "./own-request.ts";
import { answerOnRoute } from "./route-headers.ts";
import { matchesString } from "./string-match.ts";
import { type Branch, localReply, originsAt, step, type Trail, weigh } from "./trail.ts";
import { Undecidable } from "./undecidable.ts";

const CHECK_PATH = "/envoy.service.auth.v3.Authorization/Check";
const FORBIDDEN = 403;
/** Envoy's own limit for a check by HTTP or gRPC. */
const TIMEOUT_MS = 200;

export interface Asking {
  readonly config: ExtAuthz;
  readonly name: string;
  readonly resource: EnvoyResource | undefined;
}

type Next = (exchange: Exchange) => readonly Branch[];

/** The filter `ext_authz`: a check goes its own way through the mesh to the authorizer, whose answer decides. */
export function askAuthorizer(asking: Asking, exchange: Exchange, next: Next): readonly Branch[] {
  const { config, name } = asking;
  refuseUnknown(config, name);
  const { found: route, redirectsToTls } = exchange.routing;
  if (route === undefined && !redirectsToTls)
    return next({ ...exchange, trail: said(asking, exchange, exchange.trail, "a request without a route is not asked about") });
  const { filterEnabledMetadata: enabled } = config;
  if (enabled !== undefined && !matchesMetadata(enabled, exchange.metadata))
    return next({ ...exchange, trail: said(asking, exchange, exchange.trail, "no rule asks for it") });
  const shown = shownBytes(config, exchange);
  if (shown === "too large") return tooLarge(asking, exchange);
  const { cluster, timeoutMs, check } = checkOf(config, name, exchange.message, shown);
  const found = findCluster(exchange.site, cluster);
  if (found === undefined) return failed(asking, exchange, said(asking, exchange, exchange.trail, `${cluster} does not exist`), next);
  const asked = said(asking, exchange, exchange.trail, `asks ${cluster}`);
  const { found: _route, ...routing } = exchange.routing;
  const ways = connectThrough(
    { ...exchange, inbound: false, message: check, routing, trail: { ...asked, arrivedMs: [], mirrors: [] } },
    found,
    new Set(),
  );
  if (ways.length === 0) return failed(asking, exchange, said(asking, exchange, asked, "nobody is there"), next);
  return ways.flatMap(({ branch }) => {
    const { arrivedMs, mirrors, via, delayMs } = asked;
    const isLate = timeoutMs > 0 && branch.trail.delayMs - delayMs > timeoutMs;
    const trail = { ...branch.trail, arrivedMs, mirrors, via, ...(isLate && { delayMs: delayMs + timeoutMs }) };
    return weigh(branch.share, answered(asking, { ...exchange, trail }, branch.end, isLate, next));
  });
}

function refuseUnknown(config: ExtAuthz, name: string): void {
  const unknown =
    config.filterEnabled !== undefined ||
    config.denyAtDisable !== undefined ||
    config.disallowedHeaders !== undefined ||
    config.decoderHeaderMutationRules !== undefined ||
    config.failureModeAllowHeaderAdd ||
    config.validateMutations;
  if (unknown) throw new Undecidable(`filter ${name}`);
}

interface Check {
  readonly cluster: string;
  readonly timeoutMs: number;
  readonly check: HttpMessage;
}

/** Largest frame of HTTP/2 where nobody allows more (RFC 9113, section 6.5.2). */
const FRAME_BYTES = 16_384;

/**
 * How much of a body the authorizer is shown. A filter that waits for all of it holds no more than its own limit, or the connection's: what goes past it
 * while more is to come is answered as too large; what goes past it with the last frame (in HTTP/1 the end comes by itself) is cut off all the same.
 */
function shownBytes({ withRequestBody: wanted }: ExtAuthz, { message, bufferBytes }: Exchange): number | "too large" {
  const bodyBytes = message.body?.length ?? 0;
  if (wanted === undefined || isWebSocket(message)) return 0;
  const { maxRequestBytes, allowPartialMessage } = wanted;
  if (!allowPartialMessage) {
    if (bodyBytes <= maxRequestBytes) return bodyBytes;
    if (message.version === "http1" || bodyBytes - FRAME_BYTES > maxRequestBytes) return "too large";
    if (bodyBytes <= FRAME_BYTES) return maxRequestBytes;
    throw new Undecidable("a body whose last frame may be what makes it too large for the authorizer");
  }
  // What comes in one piece may go past the buffer's limit and reach the filter's.
  if (maxRequestBytes > bufferBytes && bodyBytes > bufferBytes) throw new Undecidable("a part of a body that is larger than the buffer");
  return Math.min(bodyBytes, maxRequestBytes);
}

function tooLarge(asking: Asking, exchange: Exchange): readonly Branch[] {
  const trail = said(asking, exchange, exchange.trail, "the body is larger than what the authorizer is shown");
  const because = decidedBy(asking, exchange);
  return answerOnRoute(localReply(trail, { status: 413, grpc: isGrpc(exchange.message), because, body: "Payload Too Large" }), exchange);
}

function checkOf(config: ExtAuthz, name: string, message: HttpMessage, shown: number): Check {
  const { services, allowedHeaders } = config;
  const asked = {
    ...message,
    headers: joined(message.headers),
    ...(message.body !== undefined && { body: message.body.subarray(0, shown) }),
  };
  switch (services.case) {
    case "httpService": {
      const to = services.value.serverUri?.httpUpstreamType;
      if (to?.case !== "cluster" || services.value.authorizationRequest?.allowedHeaders !== undefined)
        throw new Undecidable(`filter ${name}`);
      const timeoutMs = toMs(services.value.serverUri?.timeout) ?? TIMEOUT_MS;
      const check = httpCheck(services.value, allowedHeaders, isPartial(config, message, shown), asked);
      return { cluster: to.value, timeoutMs, check: asOwnRequest(check, timeoutMs) };
    }
    case "grpcService": {
      const { targetSpecifier: to, timeout } = services.value;
      if (to.case !== "envoyGrpc" || allowedHeaders !== undefined) throw new Undecidable(`filter ${name}`);
      const { clusterName, authority } = to.value;
      const timeoutMs = toMs(timeout) ?? TIMEOUT_MS;
      return { cluster: clusterName, timeoutMs, check: asOwnRequest(grpcCheck(asked, authority || clusterName), timeoutMs) };
    }
    default:
      throw new Undecidable(`filter ${name}`);
  }
}

/** In a check each header has one line. */
function joined(headers: HeaderLines): HeaderLines {
  return [...Map.groupBy(headers, ([key]) => key)].map(([key, lines]) => [key, lines.map(([, value]) => value).join(",")]);
}

/** What is said of a body that is shown; of none nothing. */
function isPartial({ withRequestBody }: ExtAuthz, { body }: HttpMessage, shown: number): "true" | "false" | undefined {
  if (withRequestBody === undefined || body === undefined) return undefined;
  return shown < body.length ? "true" : "false";
}

/** Sent on in any case (Envoy's rule), beside method, path and host. */
const ALWAYS = "authorization";

function httpCheck(
  { pathPrefix, authorizationRequest }: HttpService,
  allowed: ListStringMatcher | undefined,
  partial: "true" | "false" | undefined,
  { method, authority, path, headers, generated, body }: HttpMessage,
): HttpMessage {
  const sent = headers.filter(([key]) => key !== "content-length" && (key === ALWAYS || matchesAny(allowed, key)));
  const said: HeaderLines = partial === undefined ? [] : [["x-envoy-auth-partial-body", partial]];
  const plain: HttpMessage = {
    version: "http1",
    method,
    scheme: "http",
    authority,
    path: pathPrefix + path,
    headers: [["content-length", String(body?.length ?? 0)], ...sent, ...said],
    generated,
    ...(body !== undefined && { body }),
  };
  return (authorizationRequest?.headersToAdd ?? []).reduce((given, { key, value }) => withHeader(given, key.toLowerCase(), value), plain);
}

function grpcCheck({ headers: checks, body }: HttpMessage, authority: string): HttpMessage {
  const headers = [
    ["content-type", "application/grpc"],
    ["te", "trailers"],
  ] as const;
  return {
    version: "http2",
    method: "POST",
    scheme: "http",
    authority,
    path: CHECK_PATH,
    headers,
    generated: [],
    checks,
    ...(body !== undefined && { body }),
  };
}

function answered(asking: Asking, exchange: Exchange, end: Branch["end"], isLate: boolean, next: Next): readonly Branch[] {
  const { trail } = exchange;
  if (end.kind === "undecided") return [{ share: 1, trail, end }];
  if (isLate) return failed(asking, exchange, said(asking, exchange, trail, "the authorizer took too long"), next);
  if (end.kind !== "response")
    return failed(asking, exchange, said(asking, exchange, trail, `the authorizer's connection is ${end.kind}`), next);
  const { reply } = end;
  const isHttp = asking.config.services.case === "httpService";
  if (isHttp ? reply.status >= 500 : reply.by === "proxy")
    return failed(asking, exchange, said(asking, exchange, trail, `the authorizer failed: ${reply.grpcStatus ?? reply.status}`), next);
  if (isHttp ? reply.status === 200 : reply.status < 400)
    return letPass(asking, { ...exchange, trail: said(asking, exchange, trail, "allowed") }, reply.headers, next);
  const denied = said(asking, exchange, trail, `denied: ${isHttp ? reply.status : reply.grpcStatus}`);
  const headers = isHttp ? reply.headers.filter(([key]) => isShown(asking.config, key)) : [];
  const status = isHttp ? reply.status : FORBIDDEN;
  const body = isHttp ? reply.body : undefined;
  const answer = localReply(denied, {
    status,
    grpc: isGrpc(exchange.message),
    because: decidedBy(asking, exchange),
    headers,
    ...(body !== undefined && { body }),
  });
  return answerOnRoute(answer, exchange);
}

/** Of an answer that denies: all headers, or those that are named and what belongs to a denial. */
function isShown({ services }: ExtAuthz, key: string): boolean {
  const named = services.case === "httpService" ? services.value.authorizationResponse?.allowedClientHeaders : undefined;
  return named === undefined || ["www-authenticate", "location"].includes(key) || matchesAny(named, key);
}

function letPass({ config }: Asking, exchange: Exchange, headers: HeaderLines, next: Next): readonly Branch[] {
  const response = config.services.case === "httpService" ? config.services.value.authorizationResponse : undefined;
  if (response?.allowedUpstreamHeadersToAppend !== undefined) throw new Undecidable("headers of an authorizer that are appended");
  const upstream = headers.filter(([key]) => matchesAny(response?.allowedUpstreamHeaders, key));
  const message = upstream.reduce((given, [key, value]) => withHeader(given, key, value), exchange.message);
  const changed = { ...exchange, message };
  const routed =
    config.clearRouteCache && upstream.length > 0
      ? { ...changed, ...findRouting(exchange.site, exchange.routing, message, exchange.trail) }
      : changed;
  const downstream = headers.filter(([key]) => matchesAny(response?.allowedClientHeadersOnSuccess, key));
  return next(routed).map((branch) => withHeaders(branch, downstream));
}

function withHeaders(branch: Branch, headers: HeaderLines): Branch {
  const { end } = branch;
  if (end.kind !== "response" || headers.length === 0) return branch;
  return { ...branch, end: { ...end, reply: { ...end.reply, headers: [...end.reply.headers, ...headers] } } };
}

/** It could not be asked. */
function failed(asking: Asking, exchange: Exchange, trail: Trail, next: Next): readonly Branch[] {
  const { failureModeAllow, statusOnError } = asking.config;
  if (failureModeAllow) return next({ ...exchange, trail: said(asking, exchange, trail, "passed all the same") });
  const status = statusOnError?.code ?? FORBIDDEN;
  return answerOnRoute(localReply(trail, { status, grpc: isGrpc(exchange.message), because: decidedBy(asking, exchange) }), exchange);
}

/** The rule for which the authorizer was asked. */
function decidedBy({ config, resource }: Asking, { metadata }: Exchange): Branch["end"]["because"] {
  const { filter = "", path = [] } = config.filterEnabledMetadata ?? {};
  const key = path[0]?.segment.value ?? "";
  const rule = metadata[filter]?.[key];
  return originsAt(resource, typeof rule === "string" ? `asked.policies[${JSON.stringify(rule)}]` : "");
}

function said({ name, resource }: Asking, { site }: Exchange, trail: Trail, detail: string): Trail {
  return step(trail, site, "filter", { resource, detail: `${name}: ${detail}` });
}

function matchesAny(list: ListStringMatcher | undefined, key: string): boolean {
  return list?.patterns.some((pattern) => matchesString(pattern, key)) ?? false;
}
