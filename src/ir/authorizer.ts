import type { Origin } from "../model/origin.ts";
import type { StringMatch } from "./match.ts";

/** Who is asked about a request before it goes on, and what of it and of the answer counts. */
export interface ExternalAuthorizer {
  readonly kind: "http" | "grpc";
  readonly cluster: string;
  /** The host that it is asked under. */
  readonly authority: string;
  readonly timeoutMs: number;
  readonly failOpen: boolean;
  readonly statusOnError: number;
  readonly clearRouteCache: boolean;
  readonly body?: { readonly maxBytes: number; readonly allowPartial: boolean; readonly packAsBytes: boolean };
  readonly http?: {
    readonly pathPrefix: string;
    readonly requestHeaders: readonly StringMatch[];
    readonly additionalHeaders: Readonly<Record<string, string>>;
    readonly upstreamOnAllow: readonly StringMatch[];
    readonly downstreamOnDeny: readonly StringMatch[];
    readonly downstreamOnAllow: readonly StringMatch[];
  };
  readonly origin: readonly Origin[];
}
