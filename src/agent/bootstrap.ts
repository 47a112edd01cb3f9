import type { ProxySpec } from "./proxy-spec.ts";

export interface BootstrapInputs {
  readonly spec: ProxySpec;
  /** The Unix socket on which the agent speaks ADS to this Envoy. */
  readonly xdsSocket: string;
  /** Envoy's own admin socket, made with mode 0600. */
  readonly adminSocket: string;
  /** Open connections from clients that Envoy takes at most; half of its file descriptors at most. */
  readonly maxConnections: number;
}

/** The socket mark of the proxy's own traffic, which the capture rules let pass. */
const PROXY_MARK = 1337;
const SOL_SOCKET = 1;
const SO_MARK = 36;
const MIB = 1024 * 1024;
const XDS_CLUSTER = "xds-grpc";
/** An agent that comes back is on this machine: Envoy's own longest wait, 30 s, would spare nobody anything. */
const XDS_BACKOFF = { base_interval: "0.25s", max_interval: "1s" };
const RUNTIME = { "re2.max_program_size.error_level": 32_768, "envoy.reloadable_features.use_connection_event_drain": false };

/**
 * Envoy's bootstrap configuration as JSON: who it is, where its agent listens, and the limits that hold before any configuration comes.
 * Everything else comes over ADS. Limits are those of Envoy's edge best practices; a sidecar has half the heap of a gateway.
 */
export function makeBootstrap(inputs: BootstrapInputs): object {
  return {
    node: makeNode(inputs.spec),
    admin: { address: { pipe: { path: inputs.adminSocket, mode: 0o600 } }, ignore_global_conn_limit: true },
    dynamic_resources: {
      ads_config: {
        api_type: "DELTA_GRPC",
        transport_api_version: "V3",
        set_node_on_first_message_only: true,
        grpc_services: [{ envoy_grpc: { cluster_name: XDS_CLUSTER, retry_policy: { retry_back_off: XDS_BACKOFF } } }],
      },
      cds_config: { ads: {}, resource_api_version: "V3" },
      lds_config: { ads: {}, resource_api_version: "V3" },
    },
    static_resources: { clusters: [makeXdsCluster(inputs.xdsSocket)] },
    // RE2: Envoy's own limit, 100 instructions, refuses a pattern with one long host name in it; it takes linear time whatever the size (Istio's
    // value). Drain: Envoy would end a WebSocket at any moment of --drain-time-s, however long its Pod's grace period is.
    layered_runtime: { layers: [{ name: "kumiko", static_layer: RUNTIME }] },
    ...(inputs.spec.capture === "redirect" && {
      cluster_manager: {
        upstream_bind_config: {
          socket_options: [{ description: "own traffic", level: SOL_SOCKET, name: SO_MARK, int_value: PROXY_MARK, state: "STATE_PREBIND" }],
        },
      },
    }),
    ...(inputs.spec.resolver !== undefined && { typed_dns_resolver_config: makeResolver(inputs.spec.resolver) }),
    overload_manager: makeOverloadLimits(inputs),
    stats_config: { use_all_default_tags: false, stats_matcher: { inclusion_list: { patterns: STATS } } },
  };
}

function makeResolver(resolver: string): object {
  const [address, port] = resolver.split(":");
  return {
    name: "envoy.network.dns_resolver.cares",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig",
      resolvers: [{ socket_address: { address, port_value: Number(port) } }],
      dns_resolver_options: { no_default_search_domain: true },
    },
  };
}

/** Istio's node id: `sidecar~10.244.0.7~users-1.shop~shop.svc.cluster.local`. */
export function nodeId(spec: ProxySpec): string {
  return `${spec.type}~${spec.addresses[0] ?? "0.0.0.0"}~${spec.name}.${spec.namespace}~${spec.namespace}.svc.cluster.local`;
}

/**
 * What the control plane is told of the node: Envoy's own metadata, and what stands for services where nothing is captured. The latter changes
 * with every service; Envoy, whose node can't change while it runs, doesn't know of it.
 */
export function nodeMetadata(spec: ProxySpec) {
  return {
    ...ownMetadata(spec),
    KUMIKO_LOCAL_PORTS: { ...spec.localPorts },
    KUMIKO_LOCAL_ADDRESSES: { ...spec.localAddresses },
    KUMIKO_OUTSIDE_PORTS: { ...spec.outsidePorts },
  };
}

/** With Istio's keys. */
function ownMetadata(spec: ProxySpec) {
  return {
    NAME: spec.name,
    NAMESPACE: spec.namespace,
    LABELS: { ...spec.labels },
    SERVICE_ACCOUNT: spec.serviceAccount,
    INSTANCE_IPS: spec.addresses.join(","),
    CLUSTER_ID: spec.cluster,
    NETWORK: spec.network,
    INTERCEPTION_MODE: spec.capture === "redirect" ? "REDIRECT" : "NONE",
    DNS_CAPTURE: String(spec.dnsCapture),
  };
}

function makeNode(spec: ProxySpec): object {
  const [region = "", zone = "", subZone = ""] = spec.locality.split("/");
  return {
    id: nodeId(spec),
    cluster: `${spec.labels["app"] ?? spec.name}.${spec.namespace}`,
    locality: { region, zone, sub_zone: subZone },
    metadata: ownMetadata(spec),
  };
}

function makeXdsCluster(path: string): object {
  return {
    name: XDS_CLUSTER,
    type: "STATIC",
    connect_timeout: "5s",
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        explicit_http_config: { http2_protocol_options: { connection_keepalive: { interval: "30s", timeout: "5s" } } },
      },
    },
    // The agent's socket is no traffic of the mesh: no mark, and no address to bind to.
    upstream_bind_config: {},
    load_assignment: {
      cluster_name: XDS_CLUSTER,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path } } } }] }],
    },
  };
}

function makeOverloadLimits({ spec, maxConnections }: BootstrapInputs): object {
  const isGateway = spec.type === "router";
  const heap = (isGateway ? 2048 : 1024) * MIB;
  return {
    refresh_interval: "0.25s",
    resource_monitors: [
      monitor("fixed_heap", "fixed_heap.v3.FixedHeapConfig", { max_heap_size_bytes: heap }),
      monitor("global_downstream_max_connections", "downstream_connections.v3.DownstreamConnectionsConfig", {
        max_active_downstream_connections: maxConnections,
      }),
    ],
    actions: [
      { name: "envoy.overload_actions.shrink_heap", triggers: atHeap(0.95) },
      { name: "envoy.overload_actions.disable_http_keepalive", triggers: atHeap(0.92) },
      { name: "envoy.overload_actions.stop_accepting_requests", triggers: atHeap(0.98) },
      ...(isGateway ? [reduceTimeouts()] : []),
    ],
    loadshed_points: [{ name: "envoy.load_shed_points.tcp_listener_accept", triggers: atHeap(0.95) }],
  };
}

function atHeap(value: number): object[] {
  return [{ name: "envoy.resource_monitors.fixed_heap", threshold: { value } }];
}

function monitor(name: string, type: string, fields: object): object {
  const typed = { "@type": `type.googleapis.com/envoy.extensions.resource_monitors.${type}`, ...fields };
  return { name: `envoy.resource_monitors.${name}`, typed_config: typed };
}

function reduceTimeouts(): object {
  return {
    name: "envoy.overload_actions.reduce_timeouts",
    triggers: [{ name: "envoy.resource_monitors.fixed_heap", scaled: { scaling_threshold: 0.85, saturation_threshold: 0.95 } }],
    typed_config: {
      "@type": "type.googleapis.com/envoy.config.overload.v3.ScaleTimersOverloadActionConfig",
      timer_scale_factors: [{ timer: "HTTP_DOWNSTREAM_CONNECTION_IDLE", min_timeout: "2s" }],
    },
  };
}

/** The counters that an operator reads; each further one costs memory in every proxy, for every cluster. */
const STATS = [
  { prefix: "cluster_manager." },
  { prefix: "listener_manager." },
  { prefix: "server." },
  { prefix: "overload." },
  { contains: ".rbac." },
  { contains: "jwt_authn" },
  { suffix: "downstream_cx_active" },
  { suffix: "downstream_cx_total" },
  { suffix: "downstream_rq_total" },
  { suffix: "downstream_rq_active" },
  { suffix: "upstream_cx_active" },
  { suffix: "upstream_cx_connect_fail" },
  { suffix: "upstream_rq_total" },
  { suffix: "upstream_rq_timeout" },
  { suffix: "upstream_rq_retry" },
  { suffix: "upstream_rq_5xx" },
  { suffix: "ejections_active" },
  { suffix: "membership_healthy" },
  { suffix: "ssl.handshake" },
  { suffix: "ssl.fail_verify_san" },
  { suffix: "ssl.fail_verify_error" },
] as const;
