import type { JsonPath, SourcePosition } from "../model/position.ts";
import type { Profile } from "../schema/mesh-config.ts";
import type { RequestUrl } from "./request-url.ts";

/** One MeshTest, checked: every workload that it names exists, every range and duration is read. */
export interface MeshTest {
  readonly name: string;
  /** Of documents that name none. */
  readonly namespace: string;
  readonly profile: Profile;
  readonly workloads: readonly ShorthandWorkload[];
  readonly calls: readonly Call[];
  readonly expectDiagnostics: readonly ExpectedDiagnostic[];
  readonly position: SourcePosition;
}

export interface ShorthandWorkload {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly serviceAccount: string;
  readonly ports: readonly number[];
  readonly cluster?: string;
  readonly network?: string;
  readonly position: SourcePosition;
}

export interface ExpectedDiagnostic {
  /** Absent: whatever is said of the resource. */
  readonly code?: string;
  /** `Kind/namespace/name`; absent: of any. */
  readonly resource?: string;
  readonly position: SourcePosition;
}

export interface Call {
  readonly name: string;
  readonly position: SourcePosition;
  readonly from: Caller;
  readonly request: RequestSpec;
  readonly expect: Expectation;
  /** Where a field of the call stands. */
  readonly locate: (path: JsonPath) => SourcePosition;
}

export interface Caller {
  readonly kind: "workload" | "gateway" | "outside";
  /** As written: a name, or `namespace/name`. */
  readonly workload: string;
  readonly clientIp?: string;
  /** `valid`, `wrong-ca`, `expired`, or a SPIFFE id of the mesh. */
  readonly clientCert?: string;
}

export interface RequestSpec {
  readonly url: RequestUrl;
  readonly method: string;
  /** In order; `host` is in `authority`. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly authority?: string;
  readonly body: string;
  readonly rawPath?: string;
  readonly sni?: string;
  readonly tokens: readonly TokenSpec[];
  readonly http2: boolean;
  readonly repeat: number;
  readonly concurrency: number;
}

export interface TokenSpec {
  readonly issuer: string;
  readonly subject?: string;
  readonly audiences?: readonly string[];
  readonly claims: Readonly<Record<string, unknown>>;
  readonly expiresInMs: number;
  readonly notBeforeMs: number;
  readonly signedBy: "issuer" | "wrong-key" | "none";
  readonly place: { readonly header: string; readonly prefix: string } | { readonly query: string };
}

export interface Range {
  readonly min: number;
  readonly max: number;
}

export type HeaderMatcher =
  | { readonly is: "lines"; readonly lines: readonly string[] }
  | { readonly is: "prefix"; readonly prefix: string }
  | { readonly is: "regex"; readonly regex: string }
  | { readonly is: "present" }
  | { readonly is: "absent" };

export type HeaderMatchers = readonly (readonly [name: string, matcher: HeaderMatcher])[];

/** What a call says of its outcome; what is absent is not judged. */
export interface Expectation {
  readonly status?: number;
  readonly grpcStatus?: string;
  readonly to?: string | readonly (readonly [workload: string, range: Range])[];
  readonly sameWorkload?: boolean;
  readonly received?: ReceivedExpectation;
  readonly headers?: HeaderMatchers;
  readonly body?: string;
  readonly attempts?: number;
  readonly delayMs?: Range;
  /** null: none. */
  readonly mirroredTo?: string | null;
  readonly connection?: "closed" | "refused" | "open";
  /** null: none. */
  readonly via?: string | null;
  readonly because?: string;
}

export interface ReceivedExpectation {
  readonly path?: string;
  readonly method?: string;
  readonly authority?: string;
  readonly protocol?: "http1" | "http2" | "grpc";
  readonly headers?: HeaderMatchers;
  readonly principal?: string;
  readonly tls?: boolean;
}
