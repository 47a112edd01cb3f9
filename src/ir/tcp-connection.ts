import type { PolicySlots } from "./http-connection.ts";

/** Bytes that are passed on: a TCP proxy to one cluster or to several by weight. */
export interface TcpConnection {
  readonly kind: "tcp";
  readonly statPrefix: string;
  readonly destinations: readonly { readonly cluster: string; readonly weight: number }[];
  readonly slots: Pick<PolicySlots, "authzDeny" | "authzAllow" | "extensions">;
  /** 0: for ever. */
  readonly idleTimeoutMs?: number;
}
