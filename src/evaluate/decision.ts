import type { Origin } from "../model/origin.ts";
import type { Proxy } from "../model/proxy.ts";
import type { ResourceType, Snapshot } from "../translate/envoy/resource.ts";

export interface WorkloadRef {
  readonly namespace: string;
  readonly name: string;
}

/** Who answers a request at last: a workload's application, or a host outside. */
export type Target = WorkloadRef | { readonly external: string };

/** What the evaluator has to be told about the world around the proxies. It reads no clock, no network and no key by itself. */
export interface MeshView {
  /** The proxy of a workload and what it was sent; undefined for a workload without one. `identity` is its certificate's SPIFFE id. */
  proxyOf(workload: WorkloadRef): { readonly proxy: Proxy; readonly snapshot: Snapshot; readonly identity: string } | undefined;
  /** The workload that is reached at an address and port. */
  workloadAt(address: string, port: number): WorkloadRef | undefined;
  /** The name of a host outside the mesh that is reached at an address (a name of DNS clusters, or a literal). Undefined: nobody is there. */
  externalAt(address: string, port: number): string | undefined;
  /** Whether one of the keys signed the token; `jwks` is the document that the proxy was given. */
  verifyToken(jwks: string, token: string): "ok" | "bad-signature";
  /** What the application answers; 200 at once where absent. */
  answerOf?(request: ApplicationRequest): ApplicationAnswer;
  /** Whether a program listens there; where absent, on every port. */
  listensOn?(target: Target, port: number): boolean;
  /** Whether the program there sends bytes before its client does; where absent, none does. */
  speaksFirst?(target: Target, port: number): boolean;
  /** The TLS that an application or an outside host itself speaks on a port, where it does. */
  tlsOf?(target: Target, port: number): { readonly alpn: readonly string[]; readonly names: readonly string[] } | undefined;
}

export interface Request {
  readonly from: { readonly kind: "workload" | "gateway" | "outside"; readonly workload: WorkloadRef };
  /** Where the client connects: a Service's address, a gateway's or a workload's own. */
  readonly destination: { readonly address: string; readonly port: number };
  readonly protocol: "http1" | "http2" | "grpc" | "websocket" | "tcp" | "tls";
  /** Present where the client itself speaks TLS. */
  readonly tls?: {
    readonly sni?: string;
    readonly alpn: readonly string[];
    readonly clientCertificate?: { readonly uri: string; readonly trusted: boolean; readonly expired: boolean };
  };
  readonly method: string;
  readonly authority: string;
  /** Raw, as on the wire. */
  readonly path: string;
  readonly headers: readonly (readonly [string, string])[];
  /** Body of an HTTP request; absent: none. */
  readonly body?: Uint8Array;
  /** How many such requests are under way at a time; absent: one. */
  readonly atOnce?: number;
  readonly sourceAddress: string;
  readonly nowMs: number;
}

/** What an application sees of one attempt. */
export interface ApplicationRequest {
  readonly to: Target;
  readonly port: number;
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  readonly protocol: "http1" | "http2" | "grpc";
  readonly headers: readonly (readonly [string, string])[];
  /** Absent: none. Of a check by gRPC, as much of the body of the request that it asks about as the authorizer is shown. */
  readonly body?: Uint8Array;
  /** 1 for the first request of this call that reaches an application. */
  readonly attempt: number;
  /** Where it is a check by gRPC (`envoy.service.auth.v3`): the headers of the request that it asks about. */
  readonly checks?: readonly (readonly [string, string])[];
}

export interface ApplicationAnswer {
  readonly status: number;
  readonly headers?: readonly (readonly [string, string])[];
  /** Its text; absent: not known. */
  readonly body?: string;
  readonly delayMs?: number;
  /** The name of the gRPC status, for a gRPC request. */
  readonly grpcStatus?: string;
}

export interface Decision {
  /** Each way in which the request may end, and how often it does; the shares sum to 1. */
  readonly outcomes: readonly { readonly share: number; readonly outcome: Outcome }[];
}

/** What the application got, as far as it can be known. */
export interface Received {
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  readonly protocol: "http1" | "http2" | "grpc";
  readonly headers: readonly (readonly [string, string])[];
  /** Headers that are there with a value that proxies make up (`x-request-id`). */
  readonly generatedHeaders: readonly string[];
  /** The caller's SPIFFE id as the receiving proxy authenticated it. */
  readonly principal?: string;
  /** Whether the application itself was reached in TLS. */
  readonly tls: boolean;
}

interface OutcomeParts {
  readonly steps: readonly Step[];
  /** The resources that decided, most telling first. Empty where nothing but the request itself did. */
  readonly because: readonly (Origin | "Profile/zero-trust" | "Profile/istio")[];
  /** Workloads whose proxies the request passed, caller's first. */
  readonly via: readonly WorkloadRef[];
  /** Delays that proxies or the application made, milliseconds. */
  readonly delayMs: number;
}

export interface ResponseOutcome extends OutcomeParts {
  readonly kind: "response";
  readonly status: number;
  readonly grpcStatus?: string;
  readonly by: "application" | "proxy";
  /** Who answered, or was tried last. */
  readonly to?: Target;
  /** Requests that reached an application. */
  readonly attempts: number;
  readonly received?: Received;
  readonly headers: readonly (readonly [string, string])[];
  /** Headers that are there with a value that proxies make up (`set-cookie`). */
  readonly generatedHeaders?: readonly string[];
  /** Text that a proxy, or an application of which that is known, answered with. */
  readonly body?: string;
  readonly mirroredTo: readonly { readonly target: Target; readonly share: number }[];
}

export type Outcome =
  | ResponseOutcome
  | (OutcomeParts & { readonly kind: "closed" | "refused" })
  | (OutcomeParts & { readonly kind: "open"; readonly to: Target; readonly tls: boolean; readonly principal?: string })
  | (OutcomeParts & { readonly kind: "undecided"; readonly at: string });

/** One thing that a proxy decided on the way. */
export interface Step {
  /** `listener`, `filter chain`, `filter`, `virtual host`, `route`, `cluster`, `hash` (equal requests go to one endpoint), `endpoint`, `tls`, ... */
  readonly what: string;
  /** `namespace/name` of the workload whose proxy it is. */
  readonly proxy: string;
  readonly resource?: { readonly type: ResourceType; readonly name: string; readonly path: string };
  readonly origins: readonly Origin[];
  readonly detail: string;
  readonly nearMisses?: readonly NearMiss[];
}

/** What would have been chosen but for one condition. */
export interface NearMiss {
  readonly name: string;
  readonly path: string;
  readonly origins: readonly Origin[];
  /** The first condition that failed, in words. */
  readonly failed: string;
}
