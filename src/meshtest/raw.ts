import type { JsonPath } from "../model/position.ts";

/** The document as its schema found it right; what has several forms is still unknown. */
export interface RawSpec {
  readonly resources?: readonly unknown[];
  readonly profile?: "istio" | "zero-trust";
  readonly workloads?: readonly {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly serviceAccount?: string;
    readonly ports?: readonly number[];
    readonly cluster?: string;
    readonly network?: string;
  }[];
  readonly calls: readonly {
    readonly name?: string;
    readonly from: RawCaller;
    readonly request: RawRequest;
    readonly expect: RawExpectation;
  }[];
  readonly expectDiagnostics?: readonly { readonly code?: string; readonly resource?: string }[];
}

export interface RawCaller {
  readonly workload?: string;
  readonly gateway?: string;
  readonly outside?: string;
  readonly clientIp?: string;
  readonly clientCert?: string;
}

export interface RawRequest {
  readonly url: string;
  readonly method?: string;
  readonly headers?: RawRecord;
  readonly body?: string;
  readonly bodyBytes?: number;
  readonly rawPath?: string;
  readonly sni?: string;
  readonly token?: unknown;
  readonly http2?: boolean;
  readonly concurrency?: number;
  readonly repeat?: number;
}

export interface RawToken {
  readonly issuer: string;
  readonly subject?: string;
  readonly audiences?: readonly string[];
  readonly claims?: RawRecord;
  readonly expiresIn?: string;
  readonly notBefore?: string;
  readonly signedBy?: "wrong-key" | "none";
  readonly header?: string;
  readonly prefix?: string;
  readonly query?: string;
}

export interface RawExpectation {
  readonly status?: number;
  readonly grpcStatus?: string;
  readonly to?: unknown;
  readonly sameWorkload?: boolean;
  readonly received?: RawReceived;
  readonly headers?: RawRecord;
  readonly body?: string;
  readonly attempts?: number;
  readonly delayMs?: string;
  readonly mirroredTo?: unknown;
  readonly connection?: "closed" | "refused" | "open";
  readonly via?: unknown;
  readonly because?: string;
}

export interface RawReceived {
  readonly path?: string;
  readonly method?: string;
  readonly authority?: string;
  readonly protocol?: "http1" | "http2" | "grpc";
  readonly headers?: RawRecord;
  readonly principal?: string;
  readonly tls?: boolean;
}

export type RawRecord = Readonly<Record<string, unknown>>;
export type Complain = (path: JsonPath, message: string, help?: string) => void;
