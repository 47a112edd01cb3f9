import { decodeBase64 } from "../../base/base64.ts";
import { GRPC_STATUS } from "../../base/grpc-status.ts";
import { parseDuration } from "../../base/duration.ts";
import type { CorsPolicy, DirectResponse, FaultInjection, HashPolicy, RedirectAction } from "../../ir/route.ts";
import type { TrafficPolicy } from "../../mesh/index.ts";
import type { Rule } from "./destination-rule.ts";
import { type HttpRoute, toStringMatch } from "./route-match.ts";
import { checkRegex } from "./route-regex.ts";

const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

/** Undefined for a status that is no redirect. `requestPort` is the port that the client called. */
export function toRedirect(redirect: NonNullable<HttpRoute["redirect"]>, requestPort: number, isTls: boolean): RedirectAction | undefined {
  const { uri, authority, scheme, derivePort, redirectCode = 301 } = redirect;
  const status = redirectCode === 0 ? 301 : redirectCode;
  if (!isRedirect(status)) return undefined;
  const asked = redirect.port ?? (derivePort === "FROM_REQUEST_PORT" ? requestPort : undefined);
  const usual = (scheme ?? (isTls ? "https" : "http")) === "https" ? 443 : 80;
  return {
    kind: "redirect",
    status,
    ...(uri !== undefined && uri !== "" && { path: uri }),
    ...(authority !== undefined && authority !== "" && { host: authority }),
    ...(scheme !== undefined && scheme !== "" && { scheme }),
    ...(asked !== undefined && asked !== usual && { port: asked }),
  };
}

function isRedirect(status: number): status is RedirectAction["status"] {
  return REDIRECTS.includes(status);
}

/** Undefined for a body in `bytes` that is no base64. */
export function toDirectResponse({ status, body }: NonNullable<HttpRoute["directResponse"]>): DirectResponse | undefined {
  if (body?.string !== undefined) return { kind: "direct", status, body: utf8(body.string) };
  if (body?.bytes === undefined) return { kind: "direct", status };
  // In JSON the bytes of a message may be in either alphabet, padded or not (ProtoJSON).
  const bytes = decodeBase64(body.bytes.replaceAll("-", "+").replaceAll("_", "/").replace(/=+$/, ""));
  return bytes === undefined ? undefined : { kind: "direct", status, body: bytes };
}

/** UTF-8 by hand: the core has no TextEncoder. */
function utf8(text: string): Uint8Array {
  const escaped = encodeURIComponent(text.toWellFormed());
  const bytes: number[] = [];
  for (let i = 0; i < escaped.length; i++) {
    if (escaped[i] === "%") bytes.push(Number.parseInt(escaped.slice(i + 1, (i += 2) + 1), 16));
    else bytes.push(escaped.charCodeAt(i));
  }
  return Uint8Array.from(bytes);
}

/** Without a percentage no request is touched (Istio's rule). */
export function toFault(fault: NonNullable<HttpRoute["fault"]>): FaultInjection | undefined {
  const declaredMs = fault.delay?.fixedDelay === undefined ? undefined : parseDuration(fault.delay.fixedDelay);
  const fixedMs = declaredMs === 0 ? undefined : declaredMs;
  const delayPercent = fault.delay?.percentage?.value ?? fault.delay?.percent ?? 0;
  const { httpStatus, grpcStatus, percentage } = fault.abort ?? {};
  const grpc = grpcStatus === undefined ? -1 : GRPC_STATUS.indexOf(grpcStatus);
  const status = httpStatus !== undefined ? { httpStatus } : grpc >= 0 ? { grpcStatus: grpc } : undefined;
  if (fixedMs === undefined && status === undefined) return undefined;
  return {
    ...(fixedMs !== undefined && { delay: { percent: delayPercent, fixedMs } }),
    ...(status !== undefined && { abort: { percent: percentage?.value ?? 0, ...status } }),
  };
}

/** Undefined where an expression among the origins can't be used: then no origin is allowed by mistake. */
export function toCors(cors: NonNullable<HttpRoute["corsPolicy"]>): CorsPolicy | undefined {
  const origins =
    cors.allowOrigins?.flatMap((origin) => toStringMatch(origin) ?? []) ??
    cors.allowOrigin?.map((value) => ({ kind: "exact", value }) as const) ??
    [];
  if (origins.some((origin) => origin.kind === "regex" && checkRegex(origin.value) !== undefined)) return undefined;
  const maxAgeMs = cors.maxAge === undefined ? undefined : parseDuration(cors.maxAge);
  return {
    allowOrigins: origins,
    allowMethods: cors.allowMethods ?? [],
    allowHeaders: cors.allowHeaders ?? [],
    exposeHeaders: cors.exposeHeaders ?? [],
    forwardNotMatchingPreflights: cors.unmatchedPreflights !== "IGNORE",
    ...(maxAgeMs !== undefined && { maxAgeMs }),
    ...(cors.allowCredentials !== undefined && { allowCredentials: cors.allowCredentials }),
  };
}

/** What a request is hashed by, for the subset and port that it goes to. */
export function hashPolicyOf(rule: Rule | undefined, subset: string, port: number): HashPolicy | undefined {
  if (rule === undefined) return undefined;
  const own = rule.subsets.find(({ name }) => name === subset)?.policy;
  const hash = hashOf(own, port) ?? hashOf(rule.trafficPolicy?.policy, port);
  if (hash === undefined) return undefined;
  if (hash.httpHeaderName !== undefined) return { kind: "header", name: hash.httpHeaderName };
  if (hash.httpQueryParameterName !== undefined) return { kind: "query", name: hash.httpQueryParameterName };
  if (hash.useSourceIp === true) return { kind: "source-ip" };
  if (hash.httpCookie === undefined) return undefined;
  const { name, path, ttl } = hash.httpCookie;
  const ttlMs = ttl === undefined ? undefined : parseDuration(ttl);
  return { kind: "cookie", name, ...(path !== undefined && { path }), ...(ttlMs !== undefined && { ttlMs }) };
}

function hashOf(policy: TrafficPolicy | undefined, port: number) {
  const portLevel = policy?.portLevelSettings?.find((setting) => setting.port?.number === port);
  return (portLevel ?? policy)?.loadBalancer?.consistentHash;
}
