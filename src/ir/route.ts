import type { Origin } from "../model/origin.ts";
import type { HeaderMatch, StringMatch } from "./match.ts";

/** What RDS carries: the virtual hosts of one listener's port. */
export interface RouteTable {
  readonly name: string;
  readonly virtualHosts: readonly VirtualHost[];
  /** Headers of the mesh's own that must not come from outside. */
  readonly requestHeadersToRemove?: readonly string[];
  /** Hosts are compared without their port. */
  readonly ignorePortInHost: boolean;
}

export interface VirtualHost {
  readonly name: string;
  readonly domains: readonly string[];
  readonly routes: readonly Route[];
  readonly requireTls?: "all";
  readonly origin: readonly Origin[];
}

export interface Route {
  /** Istio's: the VirtualService's http route name, or `default`. */
  readonly name: string;
  readonly match: RouteMatch;
  readonly action: ForwardAction | RedirectAction | DirectResponse;
  readonly requestHeaders?: HeaderOperations;
  readonly responseHeaders?: HeaderOperations;
  /** Every resource that had a say, most specific first. */
  readonly origin: readonly Origin[];
}

export interface RouteMatch {
  readonly path: {
    readonly kind: "exact" | "prefix" | "path-separated-prefix" | "regex";
    readonly value: string;
    readonly ignoreCase?: boolean;
  };
  readonly headers: readonly HeaderMatch[];
  readonly query: readonly { readonly name: string; readonly value: StringMatch | { readonly kind: "present" } }[];
}

export interface ForwardAction {
  readonly kind: "forward";
  readonly destinations: readonly Destination[];
  readonly rewrite?: {
    readonly path?: string;
    readonly pathRegex?: { readonly match: string; readonly substitution: string };
    readonly host?: string;
  };
  /** Absent: none (Envoy's own 15 s never applies). */
  readonly timeoutMs?: number;
  /** The caller's proxy counts the time: what `grpc-timeout` says has no say here, where it would be up at the same moment. */
  readonly timedByCaller?: boolean;
  readonly retry?: RetryPolicy;
  readonly mirrors?: readonly { readonly cluster: string; readonly percent: number }[];
  readonly hashPolicy?: readonly HashPolicy[];
  readonly cors?: CorsPolicy;
  readonly fault?: FaultInjection;
}

export interface Destination {
  readonly cluster: string;
  readonly weight: number;
  readonly requestHeaders?: HeaderOperations;
  readonly responseHeaders?: HeaderOperations;
}

export interface RedirectAction {
  readonly kind: "redirect";
  readonly status: 301 | 302 | 303 | 307 | 308;
  readonly scheme?: string;
  readonly host?: string;
  readonly port?: number;
  readonly path?: string;
  readonly pathPrefix?: string;
}

export interface DirectResponse {
  readonly kind: "direct";
  readonly status: number;
  readonly body?: Uint8Array;
}

/** Applied in Istio's order: remove, then set, then add. */
export interface HeaderOperations {
  readonly set?: Readonly<Record<string, string>>;
  readonly add?: Readonly<Record<string, string>>;
  readonly remove?: readonly string[];
}

export interface RetryPolicy {
  readonly attempts: number;
  readonly on: readonly string[];
  readonly statusCodes: readonly number[];
  readonly perTryTimeoutMs?: number;
  readonly backoffMs?: number;
  readonly ignorePreviousHosts: boolean;
  readonly retryRemoteLocalities?: boolean;
}

export interface CorsPolicy {
  readonly allowOrigins: readonly StringMatch[];
  readonly allowMethods: readonly string[];
  readonly allowHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly maxAgeMs?: number;
  readonly allowCredentials?: boolean;
  readonly forwardNotMatchingPreflights?: boolean;
}

export interface FaultInjection {
  readonly delay?: { readonly percent: number; readonly fixedMs: number };
  readonly abort?: { readonly percent: number; readonly httpStatus?: number; readonly grpcStatus?: number };
}

export type HashPolicy =
  | { readonly kind: "header"; readonly name: string }
  | { readonly kind: "cookie"; readonly name: string; readonly path?: string; readonly ttlMs?: number }
  | { readonly kind: "query"; readonly name: string }
  | { readonly kind: "source-ip" };
