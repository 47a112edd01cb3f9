import type { ResourceType } from "../../translate/envoy/resource.ts";
import type { Offered } from "./offer.ts";

/** A client's DeltaDiscoveryRequest, as far as the state of a stream reads it. */
export interface DeltaRequest {
  readonly kind: "delta";
  readonly type: ResourceType;
  readonly nonce: string;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** What the client holds from an earlier stream: name to version. Counts in the first request of a type only. */
  readonly initialVersions: Readonly<Record<string, string>>;
  /** The client's reason for refusing the message of this nonce. */
  readonly error?: string;
}

/** A client's DiscoveryRequest (state of the world). */
export interface SotwRequest {
  readonly kind: "sotw";
  readonly type: ResourceType;
  readonly nonce: string;
  readonly names: readonly string[];
  /** `version_info` of the last message that the client accepted, from an earlier stream too. */
  readonly version: string;
  readonly error?: string;
}

export type XdsRequest = DeltaRequest | SotwRequest;

/** One message to send. */
export interface Push {
  readonly kind: "delta" | "sotw";
  readonly type: ResourceType;
  readonly nonce: string;
  /** `system_version_info` or `version_info`. */
  readonly version: string;
  readonly resources: readonly Offered[];
  /** Names that are gone or never were; delta only. */
  readonly removed: readonly string[];
}

export interface Refusal {
  readonly name: string;
  readonly version: string;
}

/** What a request said. */
export type Answer =
  | { readonly kind: "subscribed" }
  | { readonly kind: "ack"; readonly version: string }
  /** `refused`: which resources are to blame; empty as long as that isn't known. */
  | { readonly kind: "nack"; readonly version: string; readonly refused: readonly Refusal[]; readonly message: string }
  /** An answer to an older message than the last one: it says nothing about that one. */
  | { readonly kind: "stale" };
