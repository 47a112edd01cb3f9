import { create } from "@bufbuild/protobuf";
import { type Filter, FilterSchema } from "../../gen/envoy/config/listener/v3/listener_components_pb.js";
import { type TcpProxy, TcpProxySchema } from "../../gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import type { TcpConnection } from "../../ir/tcp-connection.ts";
import { tcpAccessLog } from "./access-log.ts";
import { packAny, toDuration } from "./any.ts";
import { type TcpSlot, tcpSlotSource } from "./extension-slot.ts";
import { connectionLimits, type ListenerSettings } from "./listener-settings.ts";
import { FILTER } from "./names.ts";
import type { EnvoyResource } from "./resource.ts";

/** The one order of network filters in front of the TCP proxy. */
const TCP_SLOT_ORDER: readonly TcpSlot[] = ["authzDeny", "authzAllow", "extensions"];

/** Policy slots, then the proxy. */
export function toTcpConnectionFilters(connection: TcpConnection, settings: ListenerSettings): Filter[] {
  const slots = TCP_SLOT_ORDER.flatMap((slot) => {
    const name = connection.slots[slot];
    return name === undefined ? [] : [create(FilterSchema, { name, configType: { case: "configDiscovery", value: tcpSlotSource(slot) } })];
  });
  return [
    ...slots,
    create(FilterSchema, {
      name: FILTER.tcpProxy,
      configType: { case: "typedConfig", value: packAny(TcpProxySchema, toTcpProxy(connection, settings)) },
    }),
  ];
}

/** What the connection needs beside its listener. */
export function tcpReferences({ destinations, slots }: TcpConnection): EnvoyResource["references"] {
  const clusters = destinations.map(({ cluster }) => ({ type: "cluster", name: cluster }) as const);
  const extensions = TCP_SLOT_ORDER.flatMap((slot) =>
    slots[slot] === undefined ? [] : [{ type: "extension", name: slots[slot] } as const],
  );
  return [...clusters, ...extensions];
}

function toTcpProxy(connection: TcpConnection, settings: ListenerSettings): TcpProxy {
  // The own application's connection shows no certificate; the peer's inbound side bounds what goes on from here.
  const limits = connection.slots.authzDeny === undefined ? undefined : connectionLimits(settings);
  return create(TcpProxySchema, {
    statPrefix: connection.statPrefix,
    clusterSpecifier: clusterSpecifier(connection.destinations),
    accessLog: tcpAccessLog(settings),
    ...(connection.idleTimeoutMs !== undefined && { idleTimeout: toDuration(connection.idleTimeoutMs) }),
    ...(limits !== undefined && { maxDownstreamConnectionDuration: toDuration(limits.tcpMs) }),
  });
}

/** Envoy refuses a weight of 0: such a destination gets nothing. */
function clusterSpecifier(destinations: TcpConnection["destinations"]): TcpProxy["clusterSpecifier"] {
  const weighed = destinations.filter(({ weight }) => weight > 0);
  const [only = destinations[0], ...others] = weighed;
  if (others.length === 0) return { case: "cluster", value: only?.cluster ?? "" };
  const clusters = weighed.map(
    ({ cluster, weight }) =>
      ({
        $typeName: "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster.ClusterWeight",
        name: cluster,
        weight,
      }) as const,
  );
  return {
    case: "weightedClusters",
    value: { $typeName: "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster", clusters },
  };
}
