import { create } from "@bufbuild/protobuf";
import { type Address, AddressSchema, SocketAddress_Protocol, SocketAddressSchema } from "../../gen/envoy/config/core/v3/address_pb.js";
import { TrafficDirection } from "../../gen/envoy/config/core/v3/base_pb.js";
import {
  type ListenerFilter,
  type ListenerFilterChainMatchPredicate,
  ListenerFilterChainMatchPredicateSchema,
  ListenerFilterSchema,
} from "../../gen/envoy/config/listener/v3/listener_components_pb.js";
import { ListenerSchema } from "../../gen/envoy/config/listener/v3/listener_pb.js";
import { HttpInspectorSchema } from "../../gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.js";
import { OriginalDstSchema } from "../../gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.js";
import { TlsInspectorSchema } from "../../gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.js";
import type { Listener } from "../../ir/listener.ts";
import { GATEWAY_TCP_SLOTS } from "../../ir/policy-slots.ts";
import type { Origin } from "../../model/origin.ts";
import { encodeResource, packAny, toDuration } from "./any.ts";
import { chainReferences, toEnvoyFilterChain } from "./filter-chain.ts";
import type { ListenerSettings } from "./listener-settings.ts";
import { FILTER } from "./names.ts";
import type { EnvoyResource } from "./resource.ts";

const DIRECTION = { inbound: TrafficDirection.INBOUND, outbound: TrafficDirection.OUTBOUND } as const;
const EDGE_BUFFER_BYTES = 32_768;

/**
 * One listener with everything that opens with it: chains, TLS, connection managers, and the slots whose content comes by ECDS.
 * It never stays in an old form because of a policy: those travel beside it.
 */
export function toEnvoyListener(listener: Listener, settings: ListenerSettings): EnvoyResource {
  const chains = [...listener.chains, ...(listener.defaultChain === undefined ? [] : [listener.defaultChain])];
  const message = create(ListenerSchema, {
    name: listener.name,
    address: socketAddress(listener.address, listener.port),
    bindToPort: listener.bindToPort,
    // Envoy's default shares the port with every process of the same user that asks for it, and so with the application beside a sidecar.
    ...(listener.bindToPort && !chains.some(isEdge) && { enableReusePort: false }),
    trafficDirection: DIRECTION[listener.direction],
    // Inbound, the destination chooses a chain only: an outbound listener of the same port must not take the connection over.
    ...(listener.useOriginalDestination && listener.direction === "outbound" && { useOriginalDst: true }),
    listenerFilters: listenerFilters(listener),
    ...detectionLimits(listener, chains.some(isEdge), settings),
    ...(chains.some(isEdge) && { perConnectionBufferLimitBytes: EDGE_BUFFER_BYTES }),
    filterChains: listener.chains.map((chain) => toEnvoyFilterChain(chain, settings)),
    ...(listener.defaultChain !== undefined && { defaultFilterChain: toEnvoyFilterChain(listener.defaultChain, settings) }),
  });
  return encodeResource(ListenerSchema, message, {
    type: "listener",
    name: listener.name,
    references: chains.flatMap(chainReferences),
    origins: originsOf(listener),
  });
}

export function socketAddress(address: string, port: number, protocol: "TCP" | "UDP" = "TCP"): Address {
  const value = create(SocketAddressSchema, {
    address,
    protocol: SocketAddress_Protocol[protocol],
    portSpecifier: { case: "portValue", value: port },
  });
  return create(AddressSchema, { address: { case: "socketAddress", value } });
}

/** At an application's own side a server that speaks first is waited for no longer than this; towards us, silence is refused. */
function detectionLimits({ direction, inspect }: Listener, edge: boolean, settings: ListenerSettings) {
  if (!inspect.tls && !inspect.http) return {};
  const declared = settings.protocolDetectionTimeoutMs;
  const limit = declared === 0 && inspect.patient !== true ? 5000 : declared;
  return {
    listenerFiltersTimeout: toDuration(limit),
    continueOnListenerFiltersTimeout: direction === "outbound" && !edge,
  };
}

function isEdge({ connection }: Listener["chains"][number]): boolean {
  return connection.kind === "http" ? connection.role === "gateway" : connection.slots.authzDeny === GATEWAY_TCP_SLOTS.authzDeny;
}

function listenerFilters({ useOriginalDestination, inspect }: Listener): ListenerFilter[] {
  const unless = (ports: readonly number[]) => {
    const disabled = exceptPorts(ports);
    return disabled === undefined ? {} : { filterDisabled: disabled };
  };
  const unread = inspect.exceptPorts ?? [];
  const filter = (name: string, value: ReturnType<typeof packAny>, rest: { filterDisabled?: ListenerFilterChainMatchPredicate }) =>
    create(ListenerFilterSchema, { name, configType: { case: "typedConfig", value }, ...rest });
  return [
    ...(useOriginalDestination ? [filter(FILTER.originalDestination, packAny(OriginalDstSchema, {}), {})] : []),
    ...(inspect.tls ? [filter(FILTER.tlsInspector, packAny(TlsInspectorSchema, {}), unless(unread))] : []),
    ...(inspect.http
      ? [filter(FILTER.httpInspector, packAny(HttpInspectorSchema, {}), unless([...unread, ...(inspect.httpExceptPorts ?? [])]))]
      : []),
  ];
}

function exceptPorts(ports: readonly number[]): ListenerFilterChainMatchPredicate | undefined {
  const rules = ports.map((port) =>
    create(ListenerFilterChainMatchPredicateSchema, { rule: { case: "destinationPortRange", value: { start: port, end: port + 1 } } }),
  );
  const [only, ...others] = rules;
  if (only === undefined || others.length === 0) return only;
  return create(ListenerFilterChainMatchPredicateSchema, { rule: { case: "orMatch", value: { rules } } });
}

function originsOf({ origin, chains, defaultChain }: Listener): ReadonlyMap<string, readonly Origin[]> {
  const origins = new Map<string, readonly Origin[]>([["", origin]]);
  for (const [i, chain] of chains.entries()) origins.set(`filterChains[${i}]`, chain.origin);
  if (defaultChain !== undefined) origins.set("defaultFilterChain", defaultChain.origin);
  return origins;
}
