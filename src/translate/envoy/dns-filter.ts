import { create } from "@bufbuild/protobuf";
import { TrafficDirection } from "../../gen/envoy/config/core/v3/base_pb.js";
import { ListenerFilterSchema } from "../../gen/envoy/config/listener/v3/listener_components_pb.js";
import { ListenerSchema } from "../../gen/envoy/config/listener/v3/listener_pb.js";
import { DnsFilterConfigSchema } from "../../gen/envoy/extensions/filters/udp/dns_filter/v3/dns_filter_pb.js";
import type { DnsTable } from "../../ir/dns.ts";
import { encodeResource, packAny, toDuration } from "./any.ts";
import { socketAddress } from "./listener.ts";
import { FILTER } from "./names.ts";
import type { EnvoyResource } from "./resource.ts";

/** Where a workload's questions arrive; capture sends them here. */
export const DNS_LISTENER = { name: "dns", address: "127.0.0.1", port: 15_053 } as const;

/** How long a workload may remember an answer. */
const TTL_MS = 30_000;

/** Answers a workload's questions from the table alone: without a resolver behind it, any other name does not exist. */
export function toDnsListener(table: DnsTable): EnvoyResource {
  const virtualDomains = table.hosts.map(({ name, addresses }) => ({
    name,
    endpoint: { endpointConfig: { case: "addressList" as const, value: { address: [...addresses] } } },
    answerTtl: toDuration(TTL_MS),
  }));
  const config = packAny(DnsFilterConfigSchema, {
    statPrefix: "dns",
    serverConfig: { configSource: { case: "inlineDnsTable", value: { virtualDomains } } },
  });
  const message = create(ListenerSchema, {
    name: DNS_LISTENER.name,
    address: socketAddress(DNS_LISTENER.address, DNS_LISTENER.port, "UDP"),
    // As for a sidecar's other ports; for UDP, Envoy allows it with one worker only, which sidecars have.
    enableReusePort: false,
    trafficDirection: TrafficDirection.OUTBOUND,
    listenerFilters: [create(ListenerFilterSchema, { name: FILTER.dns, configType: { case: "typedConfig", value: config } })],
  });
  return encodeResource(ListenerSchema, message, { type: "listener", name: DNS_LISTENER.name, references: [], origins: new Map() });
}
