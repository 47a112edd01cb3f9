import { create, toBinary } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { part } from "../../base/part.ts";
import { stableHash } from "../../base/stable-hash.ts";
import { TrafficDirection } from "../../gen/envoy/config/core/v3/base_pb.js";
import { ListenerFilterSchema } from "../../gen/envoy/config/listener/v3/listener_components_pb.js";
import { DnsTableSchema } from "../../gen/envoy/data/dns/v3/dns_table_pb.js";
import { type Listener, ListenerSchema } from "../../gen/envoy/config/listener/v3/listener_pb.js";
import {
  DnsFilterConfig_ServerContextConfigSchema,
  DnsFilterConfigSchema,
} from "../../gen/envoy/extensions/filters/udp/dns_filter/v3/dns_filter_pb.js";
import type { DnsEntry, DnsTable } from "../../ir/dns.ts";
import { type Chunk, concat, encodeChunk, lazyResource, nested, toDuration, typeUrlOf } from "./any.ts";
import { socketAddress } from "./listener.ts";
import { FILTER } from "./names.ts";
import type { EnvoyResource } from "./resource.ts";

/** Where a workload's questions arrive; capture sends them here. */
export const DNS_LISTENER = { name: "dns", address: "127.0.0.1", port: 15_053 } as const;

/** How long a workload may remember an answer. */
const TTL_MS = 30_000;

/** Answers a workload's questions from the table alone: without a resolver behind it, any other name does not exist. */
export function toDnsListener(table: DnsTable): EnvoyResource {
  const chunks = table.entries.map((entry) => chunkOf(entry));
  return lazyResource({
    type: "listener",
    name: DNS_LISTENER.name,
    version: stableHash([AROUND.hash, ...chunks.map(({ hash }) => hash)]),
    bytes: () => toBinary(ListenerSchema, listenerWith(configOf(chunks))),
    message: () => listenerWith(configOf(chunks)),
    references: () => [],
    origins: () => new Map(),
  });
}

const chunkOf = part(({ names, addresses }: DnsEntry): Chunk => {
  const virtualDomains = names.map((name) => ({
    name,
    endpoint: { endpointConfig: { case: "addressList" as const, value: { address: [...addresses] } } },
    answerTtl: toDuration(TTL_MS),
  }));
  return encodeChunk(DnsTableSchema, { virtualDomains });
});

/** The filter's configuration around a table that is encoded already. */
function configOf(chunks: readonly Chunk[]): Any {
  const context = nested(DnsFilterConfig_ServerContextConfigSchema.field.inlineDnsTable, concat(chunks));
  const head = toBinary(DnsFilterConfigSchema, create(DnsFilterConfigSchema, { statPrefix: "dns" }));
  const value = concat([{ bytes: head }, { bytes: nested(DnsFilterConfigSchema.field.serverConfig, context) }]);
  return { $typeName: "google.protobuf.Any", typeUrl: typeUrlOf(DnsFilterConfigSchema), value };
}

function listenerWith(config: Any): Listener {
  return create(ListenerSchema, {
    name: DNS_LISTENER.name,
    address: socketAddress(DNS_LISTENER.address, DNS_LISTENER.port, "UDP"),
    trafficDirection: TrafficDirection.OUTBOUND,
    // As for a sidecar's other ports; for UDP, Envoy allows it with one worker only, which sidecars have.
    enableReusePort: false,
    listenerFilters: [create(ListenerFilterSchema, { name: FILTER.dns, configType: { case: "typedConfig", value: config } })],
  });
}

/** All but the names: another release may have another one of it. */
const AROUND = encodeChunk(ListenerSchema, listenerWith(configOf([])));
