import type { RouteTable } from "./route.ts";

/** What an HTTP connection manager needs to know; limits and normalisation follow from `role` and the mesh's profile. */
export interface HttpConnection {
  readonly kind: "http";
  readonly statPrefix: string;
  readonly role: "gateway" | "inbound" | "outbound";
  /** By RDS under this name, or in place (an inbound chain's one catch-all route). */
  readonly routes: { readonly rds: string } | { readonly inline: RouteTable };
  /** Protocol of the listener's own side: by ALPN and first bytes, or fixed by the port's declaration. */
  readonly codec: "auto" | "http1" | "http2";
  /** Names of the ECDS resources that hold the policies of this connection: all connections of one proxy and direction share them. */
  readonly slots: PolicySlots;
  /** X-Forwarded-For hops in front of a gateway that are trusted (`numTrustedProxies`); none where left out. */
  readonly trustedHops?: number;
  readonly websocketUpgrade: boolean;
}

/**
 * Slots exist from a listener's birth and are never removed; one without a policy holds an empty filter, so that a first or edited policy
 * touches no listener and closes no connection. A name belongs to exactly one ECDS resource of the proxy.
 */
export interface PolicySlots {
  readonly authn?: string;
  /** Which requests the next slot's authorizer is asked about. */
  readonly authzCustomRules?: string;
  readonly authzCustom?: string;
  readonly authzDeny?: string;
  readonly authzAllow?: string;
  readonly extensions?: string;
}
