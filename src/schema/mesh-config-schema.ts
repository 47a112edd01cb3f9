/** Every field of Istio's MeshConfig (istio.mesh.v1alpha1), so that one that has no effect here is told from one that does not exist. */
import type { CompactNode, CompactSchema } from "./compact.ts";
import type { HonouredTree } from "./honoured.ts";
import { HONOURED_METADATA } from "./proxy-config.ts";

const text = { is: "string" } as const;
const duration = { is: "string", format: "duration" } as const;
const whole = { is: "integer" } as const;
const port = { is: "integer", minimum: 0, maximum: 65_535 } as const;
const flag = { is: "boolean" } as const;
const any = { is: "any" } as const;
const texts = { list: text } as const;
const oneOf = (...values: string[]): CompactNode => ({ is: "string", enum: values });

type Literal =
  | CompactNode
  | { readonly list: Literal }
  | { readonly values: Literal }
  | { readonly fields: Readonly<Record<string, Literal>> };

const GATEWAY_TOPOLOGY: Readonly<Record<string, Literal>> = {
  forwardClientCertDetails: text,
  numTrustedProxies: { is: "integer", minimum: 0, maximum: 4_294_967_295 },
  proxyProtocol: any,
};

const PROXY_CONFIG: Readonly<Record<string, Literal>> = {
  availabilityZone: text,
  binaryPath: text,
  caCertificatesPem: texts,
  concurrency: whole,
  configPath: text,
  controlPlaneAuthPolicy: any,
  customConfigFile: text,
  discoveryAddress: text,
  drainDuration: duration,
  envoyAccessLogService: any,
  envoyMetricsService: any,
  extraStatTags: texts,
  fileFlushInterval: duration,
  fileFlushMinSizeKb: whole,
  holdApplicationUntilProxyStarts: flag,
  image: any,
  interceptionMode: text,
  meshId: text,
  parentShutdownDuration: duration,
  privateKeyProvider: any,
  proxyAdminPort: port,
  proxyBootstrapTemplatePath: text,
  proxyHeaders: any,
  proxyMetadata: { values: any },
  proxyStatsMatcher: any,
  readinessProbe: any,
  runtimeValues: any,
  sds: any,
  serviceCluster: text,
  statNameLength: whole,
  statsdUdpAddress: text,
  statusPort: port,
  terminationDrainDuration: duration,
  tracing: any,
  tracingServiceName: text,
  zipkinAddress: text,
  gatewayTopology: { fields: GATEWAY_TOPOLOGY },
};

const EXT_AUTHZ: Readonly<Record<string, Literal>> = {
  service: text,
  port,
  timeout: duration,
  failOpen: flag,
  statusOnError: { is: "string", pattern: "^[1-5][0-9][0-9]$" },
  clearRouteCache: flag,
  includeRequestBodyInCheck: {
    fields: { maxRequestBytes: { is: "integer", minimum: 0, maximum: 4_294_967_295 }, allowPartialMessage: flag, packAsBytes: flag },
  },
};

const EXT_AUTHZ_HTTP: Readonly<Record<string, Literal>> = {
  ...EXT_AUTHZ,
  pathPrefix: text,
  includeRequestHeadersInCheck: texts,
  includeHeadersInCheck: texts,
  includeAdditionalHeadersInCheck: { values: text },
  headersToUpstreamOnAllow: texts,
  headersToDownstreamOnDeny: texts,
  headersToDownstreamOnAllow: texts,
};

const PROVIDER: Readonly<Record<string, Literal>> = {
  name: text,
  envoyExtAuthzHttp: { fields: EXT_AUTHZ_HTTP },
  envoyExtAuthzGrpc: { fields: EXT_AUTHZ },
  datadog: any,
  envoyFileAccessLog: any,
  envoyHttpAls: any,
  envoyOtelAls: any,
  envoyTcpAls: any,
  lightstep: any,
  opencensus: any,
  opentelemetry: any,
  prometheus: any,
  sds: any,
  skywalking: any,
  stackdriver: any,
  zipkin: any,
};

const MESH_CONFIG: Readonly<Record<string, Literal>> = {
  accessLogEncoding: oneOf("TEXT", "JSON"),
  accessLogFile: text,
  accessLogFormat: text,
  ca: any,
  caCertificates: any,
  certificates: any,
  configSources: any,
  connectTimeout: duration,
  defaultConfig: { fields: PROXY_CONFIG },
  defaultDestinationRuleExportTo: texts,
  defaultServiceExportTo: texts,
  defaultVirtualServiceExportTo: texts,
  defaultProviders: any,
  defaultHttpRetryPolicy: {
    fields: {
      attempts: { is: "integer", minimum: 0, maximum: 100 },
      backoff: duration,
      perTryTimeout: duration,
      retryOn: text,
      retryIgnorePreviousHosts: flag,
      retryRemoteLocalities: flag,
    },
  },
  disableEnvoyListenerLog: flag,
  discoverySelectors: any,
  dnsRefreshRate: duration,
  enableAutoMtls: flag,
  enableEnvoyAccessLogService: flag,
  enablePrometheusMerge: flag,
  enableTracing: flag,
  extensionProviders: { list: { fields: PROVIDER } },
  h2UpgradePolicy: text,
  inboundClusterStatName: text,
  inboundTrafficPolicy: { fields: { mode: oneOf("PASSTHROUGH", "LOCALHOST") } },
  ingressClass: text,
  ingressControllerMode: text,
  ingressSelector: text,
  ingressService: text,
  localityLbSetting: any,
  meshMTLS: any,
  outboundClusterStatName: text,
  proxyHttpPort: port,
  proxyInboundListenPort: port,
  proxyListenPort: port,
  rootNamespace: text,
  outboundTrafficPolicy: { fields: { mode: oneOf("REGISTRY_ONLY", "ALLOW_ANY"), egressProxy: any } },
  pathNormalization: { fields: { normalization: oneOf("DEFAULT", "NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES") } },
  protocolDetectionTimeout: duration,
  serviceScopeConfigs: any,
  serviceSettings: any,
  tcpKeepalive: any,
  thriftConfig: any,
  tlsDefaults: any,
  trustDomain: text,
  trustDomainAliases: texts,
  verifyCertificateAtClient: flag,
};

/** Held against `MeshConfigBody` by its test. */
export const honouredMeshConfig: HonouredTree = {
  ...Object.fromEntries(Object.keys(MESH_CONFIG).map((field) => [field, false])),
  accessLogFile: true,
  connectTimeout: true,
  enableAutoMtls: true,
  defaultDestinationRuleExportTo: true,
  defaultServiceExportTo: true,
  defaultVirtualServiceExportTo: true,
  rootNamespace: true,
  pathNormalization: true,
  protocolDetectionTimeout: true,
  trustDomain: true,
  trustDomainAliases: true,
  defaultHttpRetryPolicy: {
    attempts: true,
    perTryTimeout: true,
    retryOn: true,
    backoff: false,
    retryIgnorePreviousHosts: false,
    retryRemoteLocalities: false,
  },
  outboundTrafficPolicy: { mode: true, egressProxy: false },
  extensionProviders: {
    ...Object.fromEntries(Object.keys(PROVIDER).map((field) => [field, false])),
    name: true,
    envoyExtAuthzHttp: true,
    envoyExtAuthzGrpc: true,
  },
  defaultConfig: {
    ...Object.fromEntries(Object.keys(PROXY_CONFIG).map((field) => [field, false])),
    terminationDrainDuration: true,
    proxyMetadata: { ...Object.fromEntries(HONOURED_METADATA.map((name) => [name, true])), "*": false },
    gatewayTopology: {
      ...Object.fromEntries(Object.keys(GATEWAY_TOPOLOGY).map((field) => [field, false])),
      numTrustedProxies: true,
    },
  },
};

/** What may be said of a proxy, by the mesh or by its Pod. */
export const proxyConfigFields: readonly string[] = Object.keys(PROXY_CONFIG);
export const gatewayTopologyFields: readonly string[] = Object.keys(GATEWAY_TOPOLOGY);

export const meshConfigSchema: CompactSchema = compile({ fields: MESH_CONFIG });

function compile(literal: Literal): CompactSchema {
  const nodes: CompactNode[] = [];
  const visit = (part: Literal): number => {
    if ("list" in part) return nodes.push({ is: "list", items: visit(part.list) }) - 1;
    if ("is" in part) return nodes.push(part) - 1;
    if ("values" in part) return nodes.push({ is: "map", values: visit(part.values) }) - 1;
    const fields = Object.fromEntries(Object.entries(part.fields).map(([name, field]) => [name, visit(field)]));
    return nodes.push({ is: "object", fields }) - 1;
  };
  return { kinds: { MeshConfig: visit(literal) }, nodes };
}
