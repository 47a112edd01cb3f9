import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { MetadataSchema, RoutingPriority, type TransportSocket } from "../../gen/envoy/config/core/v3/base_pb.js";
import {
  type Cluster_TransportSocketMatch,
  Cluster_DiscoveryType as DiscoveryType,
  Cluster_DnsLookupFamily as DnsLookupFamily,
  Cluster_LbPolicy as LbPolicy,
  Cluster_TransportSocketMatchSchema,
  ClusterSchema,
} from "../../gen/envoy/config/cluster/v3/cluster_pb.js";
import { RawBufferSchema } from "../../gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.js";
import { HttpProtocolOptionsSchema } from "../../gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js";
import { parseClusterName } from "../../ir/cluster-name.ts";
import type { CircuitBreaker, Cluster, LoadBalancing, OutlierDetection } from "../../ir/cluster.ts";
import type { ClientTls } from "../../ir/tls.ts";
import { encodeResource, packAny, toDuration } from "./any.ts";
import { TLS_MODE, toLoadAssignment } from "./endpoint.ts";
import { adsSource } from "./extension-slot.ts";
import { istioMetadata } from "./istio-metadata.ts";
import { connectionLimits, type ListenerSettings } from "./listener-settings.ts";
import type { EnvoyResource } from "./resource.ts";
import { secretReferences, toUpstreamTls } from "./tls.ts";
import { alpnMetadata } from "./upstream-alpn.ts";

type ClusterInit = Exclude<MessageInitShape<typeof ClusterSchema>, { $typeName: string }>;
type HttpInit = MessageInitShape<typeof HttpProtocolOptionsSchema>;

export type ClusterSettings = Pick<ListenerSettings, "maxConnectionDurationMs">;

const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
/** No limit of Envoy's own (1,024) where a DestinationRule sets none. */
const UNLIMITED = 0xffff_ffff;
const DNS_REFRESH_MS = 60_000;

/** One cluster with everything but the endpoints that come by EDS. */
export function toEnvoyCluster(cluster: Cluster, settings: ClusterSettings): EnvoyResource {
  const metadata = metadataOf(cluster);
  const message = create(ClusterSchema, {
    name: cluster.name,
    connectTimeout: toDuration(cluster.connectTimeoutMs),
    ...discoveryOf(cluster),
    ...loadBalancing(cluster.loadBalancing),
    ...transport(cluster),
    typedExtensionProtocolOptions: { [HTTP_OPTIONS]: packAny(HttpProtocolOptionsSchema, httpOptions(cluster, settings)) },
    circuitBreakers: { thresholds: [thresholds(cluster.circuitBreaker)] },
    ...(cluster.outlierDetection !== undefined && outlierDetection(cluster.outlierDetection)),
    ...(cluster.bindAddress !== undefined && {
      upstreamBindConfig: { sourceAddress: { address: cluster.bindAddress, portSpecifier: { case: "portValue", value: 0 } } },
    }),
    ...keepalive(cluster.tcpKeepalive),
    ...(metadata !== undefined && { metadata }),
  });
  const endpoints = cluster.discovery.kind === "eds" ? ([{ type: "endpoint", name: cluster.name }] as const) : [];
  const references = [...endpoints, ...(cluster.tls === undefined ? [] : secretReferences(tlsOf(cluster.tls)))];
  return encodeResource(ClusterSchema, message, {
    type: "cluster",
    name: cluster.name,
    references,
    origins: new Map([["", cluster.origin]]),
  });
}

function metadataOf(cluster: Cluster) {
  const istio = istioMetadata(cluster.origin, serviceMetadata(cluster));
  const alpn = cluster.tls === undefined ? {} : alpnMetadata(tlsOf(cluster.tls));
  if (Object.keys(alpn).length === 0) return istio;
  return create(MetadataSchema, { filterMetadata: { ...istio?.filterMetadata, ...alpn } });
}

function type(value: DiscoveryType) {
  return { clusterDiscoveryType: { case: "type", value } } as const;
}

function serviceMetadata({ name }: Cluster) {
  const parsed = parseClusterName(name);
  if (parsed?.direction !== "outbound") return {};
  return { services: [{ host: parsed.host }], ...(parsed.subset !== "" && { subset: parsed.subset }) };
}

function tlsOf(tls: NonNullable<Cluster["tls"]>): ClientTls {
  return tls.kind === "always" ? tls.tls : tls.mutual;
}

function discoveryOf({ name, discovery }: Cluster): ClusterInit {
  switch (discovery.kind) {
    case "eds":
      return { ...type(DiscoveryType.EDS), edsClusterConfig: { serviceName: name, edsConfig: adsSource() } };
    case "original-destination":
      return type(DiscoveryType.ORIGINAL_DST);
    case "black-hole":
      return type(DiscoveryType.STATIC);
    case "static":
      return { ...type(DiscoveryType.STATIC), loadAssignment: toLoadAssignment(discovery.endpoints) };
    case "strict-dns":
    case "logical-dns":
      return {
        ...type(discovery.kind === "strict-dns" ? DiscoveryType.STRICT_DNS : DiscoveryType.LOGICAL_DNS),
        loadAssignment: toLoadAssignment(discovery.endpoints),
        dnsRefreshRate: toDuration(discovery.refreshMs ?? DNS_REFRESH_MS),
        respectDnsTtl: true,
        dnsLookupFamily: DnsLookupFamily.V4_PREFERRED,
      };
  }
}

function loadBalancing(balancing: LoadBalancing): ClusterInit {
  switch (balancing.kind) {
    case "passthrough":
      return { lbPolicy: LbPolicy.CLUSTER_PROVIDED };
    case "random":
      return { lbPolicy: LbPolicy.RANDOM };
    case "maglev":
      return {
        lbPolicy: LbPolicy.MAGLEV,
        ...(balancing.tableSize !== undefined && {
          lbConfig: { case: "maglevLbConfig", value: { tableSize: BigInt(balancing.tableSize) } },
        }),
      };
    case "ring-hash":
      return {
        lbPolicy: LbPolicy.RING_HASH,
        lbConfig: { case: "ringHashLbConfig", value: { minimumRingSize: BigInt(balancing.minimumRingSize ?? 1024) } },
      };
    case "round-robin":
      return {
        lbPolicy: LbPolicy.ROUND_ROBIN,
        ...(balancing.warmupMs !== undefined && { lbConfig: { case: "roundRobinLbConfig", value: slowStart(balancing.warmupMs) } }),
      };
    case "least-request":
      return {
        lbPolicy: LbPolicy.LEAST_REQUEST,
        ...(balancing.warmupMs !== undefined && { lbConfig: { case: "leastRequestLbConfig", value: slowStart(balancing.warmupMs) } }),
      };
  }
}

function slowStart(warmupMs: number) {
  return { slowStartConfig: { slowStartWindow: toDuration(warmupMs) } };
}

/** By endpoint, where some have a sidecar and some may not. Where plaintext is not allowed no second match is there, and mTLS is spoken to all. */
function transport({ tls }: Cluster): ClusterInit {
  if (tls === undefined) return {};
  if (tls.kind === "always") return { transportSocket: toUpstreamTls(tls.tls) };
  const mutual = toUpstreamTls(tls.mutual);
  if (!tls.plaintextAllowed) return { transportSocket: mutual };
  return {
    transportSocketMatches: [
      socketMatch("tlsMode-istio", { [TLS_MODE.key]: TLS_MODE.value }, mutual),
      socketMatch("tlsMode-disabled", {}, plaintext()),
    ],
  };
}

function socketMatch(
  name: string,
  match: Readonly<Record<string, string>>,
  transportSocket: TransportSocket,
): Cluster_TransportSocketMatch {
  return create(Cluster_TransportSocketMatchSchema, { name, match, transportSocket });
}

function plaintext(): TransportSocket {
  const value = packAny(RawBufferSchema, {});
  return {
    $typeName: "envoy.config.core.v3.TransportSocket",
    name: "envoy.transport_sockets.raw_buffer",
    configType: { case: "typedConfig", value },
  };
}

function httpOptions(cluster: Cluster, settings: ClusterSettings): HttpInit {
  const { protocol, circuitBreaker, idleTimeoutMs, maxConnectionDurationMs } = cluster;
  const limits = [maxConnectionDurationMs, connectionLimits(settings)?.connectionMs].filter(
    (limit) => limit !== undefined && limit > 0,
  ) as number[];
  const maxRequests = circuitBreaker?.maxRequestsPerConnection;
  const autoSni = cluster.tls !== undefined && tlsOf(cluster.tls).autoSni === true;
  return {
    commonHttpProtocolOptions: {
      ...(idleTimeoutMs !== undefined && { idleTimeout: toDuration(idleTimeoutMs) }),
      ...(limits.length > 0 && { maxConnectionDuration: toDuration(Math.min(...limits)) }),
      ...(maxRequests !== undefined && { maxRequestsPerConnection: maxRequests }),
    },
    ...(autoSni && { upstreamHttpProtocolOptions: { autoSni: true, autoSanValidation: true } }),
    upstreamProtocolOptions: protocolOptions(protocol),
  };
}

function protocolOptions(protocol: Cluster["protocol"]): NonNullable<Exclude<HttpInit, { $typeName: string }>["upstreamProtocolOptions"]> {
  if (protocol === "as-downstream")
    return { case: "useDownstreamProtocolConfig", value: { httpProtocolOptions: {}, http2ProtocolOptions: {} } };
  const explicit =
    protocol === "http2" ? ({ case: "http2ProtocolOptions", value: {} } as const) : ({ case: "httpProtocolOptions", value: {} } as const);
  return { case: "explicitHttpConfig", value: { protocolConfig: explicit } };
}

function thresholds(limits: CircuitBreaker = {}) {
  return {
    priority: RoutingPriority.DEFAULT,
    maxConnections: limits.maxConnections ?? UNLIMITED,
    maxPendingRequests: limits.maxPendingRequests ?? UNLIMITED,
    maxRequests: limits.maxRequests ?? UNLIMITED,
    maxRetries: limits.maxRetries ?? UNLIMITED,
    trackRemaining: true,
  };
}

/** Of Envoy's kinds only those that were asked for are enforced; success rates never (Istio's rule). */
function outlierDetection(detection: OutlierDetection): ClusterInit {
  const { consecutive5xx, consecutiveGatewayErrors, consecutiveLocalOriginFailures, splitExternalLocalOriginErrors } = detection;
  return {
    outlierDetection: {
      interval: toDuration(detection.intervalMs),
      baseEjectionTime: toDuration(detection.baseEjectionMs),
      maxEjectionPercent: detection.maxEjectionPercent,
      enforcingSuccessRate: 0,
      ...(consecutive5xx !== undefined && { consecutive5xx, enforcingConsecutive5xx: consecutive5xx > 0 ? 100 : 0 }),
      ...(consecutiveGatewayErrors !== undefined && {
        consecutiveGatewayFailure: consecutiveGatewayErrors,
        enforcingConsecutiveGatewayFailure: consecutiveGatewayErrors > 0 ? 100 : 0,
      }),
      ...(splitExternalLocalOriginErrors === true && { splitExternalLocalOriginErrors }),
      ...(consecutiveLocalOriginFailures !== undefined && {
        consecutiveLocalOriginFailure: consecutiveLocalOriginFailures,
        enforcingConsecutiveLocalOriginFailure: 100,
      }),
    },
    commonLbConfig: { healthyPanicThreshold: { value: detection.minHealthPercent ?? 0 } },
  };
}

function keepalive(options: Cluster["tcpKeepalive"]): ClusterInit {
  if (options === undefined) return {};
  const { timeS, intervalS, probes } = options;
  return {
    upstreamConnectionOptions: {
      tcpKeepalive: {
        ...(timeS !== undefined && { keepaliveTime: timeS }),
        ...(intervalS !== undefined && { keepaliveInterval: intervalS }),
        ...(probes !== undefined && { keepaliveProbes: probes }),
      },
    },
  };
}
