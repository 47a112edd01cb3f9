import type { Origin } from "../model/origin.ts";
import type { ClientTls } from "./tls.ts";

/** A group of endpoints as one proxy connects to it. Names are built and parsed in `cluster-name.ts` only. */
export interface Cluster {
  readonly name: string;
  readonly discovery: Discovery;
  /** The most specific name for statistics: host, port and subset in Istio's form. */
  readonly connectTimeoutMs: number;
  /** What is spoken to the endpoints: the caller's protocol, or one of them. */
  readonly protocol: "tcp" | "http1" | "http2" | "as-downstream";
  /**
   * TLS by endpoint: mTLS where the endpoint has a sidecar, `plain` otherwise (Istio's auto mTLS), or one for all.
   * `auto.plaintextAllowed` false leaves endpoints without a sidecar unreachable rather than plaintext.
   */
  readonly tls?:
    | { readonly kind: "always"; readonly tls: ClientTls }
    | { readonly kind: "auto"; readonly mutual: ClientTls; readonly plaintextAllowed: boolean };
  readonly loadBalancing: LoadBalancing;
  readonly circuitBreaker?: CircuitBreaker;
  readonly outlierDetection?: OutlierDetection;
  /** Source address of the connection: 127.0.0.6 towards the own application, so that capture lets it pass. */
  readonly bindAddress?: string;
  readonly tcpKeepalive?: { readonly timeS?: number; readonly intervalS?: number; readonly probes?: number };
  readonly idleTimeoutMs?: number;
  readonly maxConnectionDurationMs?: number;
  readonly origin: readonly Origin[];
}

export type Discovery =
  | { readonly kind: "eds" }
  | { readonly kind: "static" | "strict-dns" | "logical-dns"; readonly endpoints: EndpointGroup; readonly refreshMs?: number }
  | { readonly kind: "original-destination" }
  /** No endpoints on purpose: BlackHoleCluster. */
  | { readonly kind: "black-hole" };

export type LoadBalancing =
  | { readonly kind: "round-robin" | "least-request" | "random" | "passthrough"; readonly warmupMs?: number }
  | { readonly kind: "ring-hash"; readonly minimumRingSize?: number }
  | { readonly kind: "maglev"; readonly tableSize?: number };

export interface CircuitBreaker {
  readonly maxConnections?: number;
  readonly maxPendingRequests?: number;
  readonly maxRequests?: number;
  readonly maxRetries?: number;
  readonly maxRequestsPerConnection?: number;
}

export interface OutlierDetection {
  readonly consecutive5xx?: number;
  readonly consecutiveGatewayErrors?: number;
  readonly consecutiveLocalOriginFailures?: number;
  readonly splitExternalLocalOriginErrors?: boolean;
  readonly intervalMs: number;
  readonly baseEjectionMs: number;
  readonly maxEjectionPercent: number;
  readonly minHealthPercent?: number;
}

/** What EDS carries for one cluster. */
export interface EndpointGroup {
  readonly cluster: string;
  readonly localities: readonly {
    readonly locality: string;
    readonly priority: number;
    readonly weight?: number;
    readonly endpoints: readonly Endpoint[];
  }[];
  readonly origin: readonly Origin[];
}

export interface Endpoint {
  readonly address: string;
  readonly port: number;
  readonly weight: number;
  readonly health: "healthy" | "unhealthy" | "draining";
  /** Whether the peer's sidecar ends mTLS on this address: chooses the transport socket of an `auto` cluster. */
  readonly mutualTls: boolean;
  /** `namespace/name` of the workload; named in diagnostics and views, not on the wire. */
  readonly workload?: string;
}
