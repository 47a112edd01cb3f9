import type { PolicySlots } from "./http-connection.ts";

type TcpSlots = Required<Pick<PolicySlots, "authzDeny" | "authzAllow" | "extensions">>;

/** HTTP connections towards the own application. */
export const INBOUND_SLOTS = {
  authn: "kumiko.inbound.authn",
  authzCustomRules: "kumiko.inbound.authz-custom-rules",
  authzCustom: "kumiko.inbound.authz-custom",
  authzDeny: "kumiko.inbound.authz-deny",
  authzAllow: "kumiko.inbound.authz-allow",
  extensions: "kumiko.inbound.extensions",
} as const satisfies Required<PolicySlots>;

/** Bytes towards the own application. */
export const INBOUND_TCP_SLOTS = {
  authzDeny: "kumiko.inbound.tcp.authz-deny",
  authzAllow: "kumiko.inbound.tcp.authz-allow",
  extensions: "kumiko.inbound.tcp.extensions",
} as const satisfies TcpSlots;

export const GATEWAY_SLOTS = {
  authn: "kumiko.gateway.authn",
  authzCustomRules: "kumiko.gateway.authz-custom-rules",
  authzCustom: "kumiko.gateway.authz-custom",
  authzDeny: "kumiko.gateway.authz-deny",
  authzAllow: "kumiko.gateway.authz-allow",
  extensions: "kumiko.gateway.extensions",
} as const satisfies Required<PolicySlots>;

export const GATEWAY_TCP_SLOTS = {
  authzDeny: "kumiko.gateway.tcp.authz-deny",
  authzAllow: "kumiko.gateway.tcp.authz-allow",
  extensions: "kumiko.gateway.tcp.extensions",
} as const satisfies TcpSlots;

/** What the own application calls: no policy of the caller's side but extensions. */
export const OUTBOUND_SLOTS = { extensions: "kumiko.outbound.extensions" } as const satisfies PolicySlots;
export const OUTBOUND_TCP_SLOTS = { extensions: "kumiko.outbound.tcp.extensions" } as const satisfies PolicySlots;
