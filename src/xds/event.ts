import type { Proxy } from "../model/proxy.ts";
import type { ResourceType } from "../translate/envoy/resource.ts";
import type { Refusal } from "./protocol/message.ts";
import type { Dangling } from "./protocol/reference.ts";
import type { Peer } from "./peer.ts";

/** What happens on the streams; telemetry and the CLI read it. */
export type XdsEvent =
  | { readonly kind: "connected"; readonly proxy: Proxy; readonly peer: Peer }
  | { readonly kind: "disconnected"; readonly proxy: Proxy; readonly reason: string }
  /** A client that was turned away before it was a proxy. */
  | { readonly kind: "rejected"; readonly address: string; readonly reason: string }
  | { readonly kind: "ack"; readonly proxy: Proxy; readonly type: ResourceType; readonly version: string }
  /** `resources`: whose version is quarantined on this stream; empty while it isn't known which of several is bad (they then follow one by one). */
  | {
      readonly kind: "nack";
      readonly proxy: Proxy;
      readonly type: ResourceType;
      readonly version: string;
      readonly resources: readonly Refusal[];
      readonly message: string;
    }
  /** The new snapshot was held back: it names what it doesn't hold. The last good one stays. */
  | { readonly kind: "dangling"; readonly proxy: Proxy; readonly dangling: readonly Dangling[] }
  /** Translation threw: our bug. The last good snapshot stays. */
  | { readonly kind: "failed"; readonly proxy: Proxy; readonly error: unknown };

/** What one proxy holds, by type. */
export interface TypeStatus {
  readonly type: ResourceType;
  /** Names that are subscribed to; "*" for all. */
  readonly subscribed: number | "*";
  readonly held: number;
  /** Version of the last acknowledged message on this stream; empty where nothing had to be sent. */
  readonly acknowledged: string;
  readonly refused: readonly Refusal[];
  /** The error text of the last NACK, until an ACK follows. */
  readonly lastError: string;
  /** Nothing waits to be sent or answered, and nothing is refused. */
  readonly isSynced: boolean;
}

export interface ProxyStatus {
  readonly proxy: Proxy;
  readonly peer: Peer;
  /** By the clock of the control plane's process, in milliseconds. */
  readonly connectedAtMs: number;
  readonly types: readonly TypeStatus[];
  /** The newest snapshot is held back because of dangling references. */
  readonly isHeldBack: boolean;
}
