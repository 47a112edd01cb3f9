import { create } from "@bufbuild/protobuf";
import {
  ApiVersion,
  type ConfigSource,
  ConfigSourceSchema,
  type ExtensionConfigSource,
  ExtensionConfigSourceSchema,
} from "../../gen/envoy/config/core/v3/config_source_pb.js";
import { toDuration } from "./any.ts";

const TYPE = (name: string) => `type.googleapis.com/envoy.extensions.filters.${name}`;

/** What a slot may hold one day: Envoy refuses any other type, and a new type in this list would drain the listener. */
const SLOT_TYPES = {
  authn: [TYPE("http.jwt_authn.v3.JwtAuthentication"), TYPE("http.rbac.v3.RBAC")],
  authzCustomRules: [TYPE("http.rbac.v3.RBAC")],
  authzCustom: [TYPE("http.ext_authz.v3.ExtAuthz"), TYPE("http.rbac.v3.RBAC")],
  authzDeny: [TYPE("http.rbac.v3.RBAC")],
  authzAllow: [TYPE("http.rbac.v3.RBAC")],
  extensions: [TYPE("http.rbac.v3.RBAC"), TYPE("http.wasm.v3.Wasm"), TYPE("http.lua.v3.Lua"), TYPE("http.composite.v3.Composite")],
} as const;

const TCP_SLOT_TYPES = {
  authzDeny: [TYPE("network.rbac.v3.RBAC")],
  authzAllow: [TYPE("network.rbac.v3.RBAC")],
  extensions: [TYPE("network.rbac.v3.RBAC"), TYPE("network.wasm.v3.Wasm")],
} as const;

export type HttpSlot = keyof typeof SLOT_TYPES;
export type TcpSlot = keyof typeof TCP_SLOT_TYPES;

export function httpSlotSource(slot: HttpSlot): ExtensionConfigSource {
  return slotSource(SLOT_TYPES[slot]);
}

export function tcpSlotSource(slot: TcpSlot): ExtensionConfigSource {
  return slotSource(TCP_SLOT_TYPES[slot]);
}

/** Without a default and without a time limit the listener does not open before the slot's content is there. */
function slotSource(typeUrls: readonly string[]): ExtensionConfigSource {
  return create(ExtensionConfigSourceSchema, { configSource: adsSource(), typeUrls: [...typeUrls] });
}

/** Over the stream that the proxy already has; waits for ever for a first answer instead of going on without. */
export function adsSource(): ConfigSource {
  return create(ConfigSourceSchema, {
    configSourceSpecifier: { case: "ads", value: {} },
    resourceApiVersion: ApiVersion.V3,
    initialFetchTimeout: toDuration(0),
  });
}
