import { parseDuration } from "../base/duration.ts";
import { isHeaderName } from "../base/header-name.ts";
import { isKnownStatus } from "../base/http-status.ts";
import type { Origin } from "../model/origin.ts";
import type { ExtAuthzBody, ExtAuthzHttpBody, MeshConfigBody } from "../schema/mesh-config.ts";
import { qualifyHost } from "./visibility.ts";

/** How an external authorizer is asked about a request before it goes on, and what of it and of the answer counts. `Name` is a header name's form. */
export interface CheckSettings<Name> {
  readonly kind: "http" | "grpc";
  readonly timeoutMs: number;
  /** Requests pass where it can't be asked. */
  readonly failOpen: boolean;
  /** What a request is answered by where it can't be asked. */
  readonly statusOnError: number;
  readonly clearRouteCache: boolean;
  readonly body?: { readonly maxBytes: number; readonly allowPartial: boolean; readonly packAsBytes: boolean };
  /** What only a check by HTTP has. */
  readonly http?: {
    readonly pathPrefix: string;
    readonly requestHeaders: readonly Name[];
    readonly additionalHeaders: Readonly<Record<string, string>>;
    readonly upstreamOnAllow: readonly Name[];
    readonly downstreamOnDeny: readonly Name[];
    readonly downstreamOnAllow: readonly Name[];
  };
}

/**
 * An external authorizer that MeshConfig declares under a name, with Istio's defaults filled in. Header names as Istio writes them: `name`,
 * `prefix*`, `*suffix`, `*`.
 */
export interface Authorizer extends CheckSettings<string> {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly origin: Origin;
}

/** Istio's default: 10 minutes. */
const TIMEOUT_MS = 600_000;
const LONGEST_TIMEOUT_MS = 86_400_000;
const FORBIDDEN = 403;
const LARGEST_BODY = 1_048_576;

/** The authorizers of a MeshConfig; of two with one name, the first counts. */
export function readAuthorizers(config: MeshConfigBody, ref: Origin["ref"] | undefined, rootNamespace: string): readonly Authorizer[] {
  const found = new Map<string, Authorizer>();
  if (ref === undefined) return [];
  for (const [i, { name = "", envoyExtAuthzHttp: http, envoyExtAuthzGrpc: grpc }] of (config.extensionProviders ?? []).entries()) {
    const body = http ?? grpc;
    if (body === undefined || name === "" || found.has(name)) continue;
    const common = { name, ...read(body, rootNamespace), origin: { ref, path: ["extensionProviders", i] } };
    found.set(name, http === undefined ? { ...common, kind: "grpc" } : { ...common, kind: "http", http: readHttp(http) });
  }
  return [...found.values()];
}

function read(body: ExtAuthzBody, rootNamespace: string): Omit<Authorizer, "name" | "kind" | "origin"> {
  const { service = "", port = 0, timeout, failOpen = false, statusOnError, clearRouteCache = false, includeRequestBodyInCheck } = body;
  const slash = service.indexOf("/");
  const status = Number(statusOnError ?? FORBIDDEN);
  const timeoutMs = (timeout === undefined ? undefined : parseDuration(timeout)) ?? TIMEOUT_MS;
  const wanted = includeRequestBodyInCheck;
  return {
    host: qualifyHost(service.slice(slash + 1), slash < 0 ? rootNamespace : service.slice(0, slash), "cluster.local"),
    port,
    timeoutMs: Math.min(timeoutMs, LONGEST_TIMEOUT_MS),
    failOpen,
    // Envoy refuses a configuration with a status that it has no name for.
    statusOnError: isKnownStatus(status) ? status : FORBIDDEN,
    clearRouteCache,
    ...((wanted?.maxRequestBytes ?? 0) > 0 && {
      body: {
        maxBytes: Math.min(wanted?.maxRequestBytes ?? 0, LARGEST_BODY),
        allowPartial: wanted?.allowPartialMessage ?? false,
        packAsBytes: wanted?.packAsBytes ?? false,
      },
    }),
  };
}

function readHttp(body: ExtAuthzHttpBody): NonNullable<Authorizer["http"]> {
  return {
    pathPrefix: (body.pathPrefix ?? "").startsWith("/") ? (body.pathPrefix ?? "") : "",
    requestHeaders: body.includeRequestHeadersInCheck ?? body.includeHeadersInCheck ?? [],
    additionalHeaders: Object.fromEntries(
      Object.entries(body.includeAdditionalHeadersInCheck ?? {}).filter(([name]) => isHeaderName(name)),
    ),
    upstreamOnAllow: body.headersToUpstreamOnAllow ?? [],
    downstreamOnDeny: body.headersToDownstreamOnDeny ?? [],
    downstreamOnAllow: body.headersToDownstreamOnAllow ?? [],
  };
}
