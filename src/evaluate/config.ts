import { createRegistry, type Message, type MessageShape } from "@bufbuild/protobuf";
import { type Any, anyUnpack } from "@bufbuild/protobuf/wkt";
import { CorsPolicySchema, CorsSchema } from "../gen/envoy/extensions/filters/http/cors/v3/cors_pb.js";
import { ExtAuthzSchema } from "../gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.js";
import { HTTPFaultSchema } from "../gen/envoy/extensions/filters/http/fault/v3/fault_pb.js";
import { JwtAuthenticationSchema } from "../gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js";
import { RBACPerRouteSchema, RBACSchema } from "../gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js";
import { ConfigSchema as SetFilterStateSchema } from "../gen/envoy/extensions/filters/http/set_filter_state/v3/set_filter_state_pb.js";
import { RouterSchema } from "../gen/envoy/extensions/filters/http/router/v3/router_pb.js";
import { HttpInspectorSchema } from "../gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.js";
import { OriginalDstSchema } from "../gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.js";
import { TlsInspectorSchema } from "../gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.js";
import { HttpConnectionManagerSchema } from "../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { RBACSchema as NetworkRbacSchema } from "../gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js";
import { TcpProxySchema } from "../gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import { HeaderMutationSchema } from "../gen/envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation_pb.js";
import { PreviousHostsPredicateSchema } from "../gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.js";
import { RawBufferSchema } from "../gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.js";
import { DownstreamTlsContextSchema, UpstreamTlsContextSchema } from "../gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js";
import { HttpProtocolOptionsSchema } from "../gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js";

/** Every configuration that is understood. What isn't here is undecided where it stands. */
const KNOWN = {
  cors: CorsSchema,
  corsPolicy: CorsPolicySchema,
  extAuthz: ExtAuthzSchema,
  fault: HTTPFaultSchema,
  jwt: JwtAuthenticationSchema,
  rbac: RBACSchema,
  rbacPerRoute: RBACPerRouteSchema,
  router: RouterSchema,
  setFilterState: SetFilterStateSchema,
  httpInspector: HttpInspectorSchema,
  originalDestination: OriginalDstSchema,
  tlsInspector: TlsInspectorSchema,
  httpConnectionManager: HttpConnectionManagerSchema,
  networkRbac: NetworkRbacSchema,
  tcpProxy: TcpProxySchema,
  headerMutation: HeaderMutationSchema,
  previousHosts: PreviousHostsPredicateSchema,
  rawBuffer: RawBufferSchema,
  downstreamTls: DownstreamTlsContextSchema,
  upstreamTls: UpstreamTlsContextSchema,
  httpProtocolOptions: HttpProtocolOptionsSchema,
} as const;

type Kind = keyof typeof KNOWN;
export type Config = { [K in Kind]: { readonly kind: K; readonly value: MessageShape<(typeof KNOWN)[K]> } }[Kind];

const registry = createRegistry(...Object.values(KNOWN));
const kindOf = new Map<string, Kind>(Object.entries(KNOWN).map(([kind, schema]) => [schema.typeName, kind as Kind]));
/** Messages are frozen by agreement: the same Any holds the same content for good. */
const opened = new WeakMap<Any, Config | "unknown">();

/** What an Any holds; undefined for a type that this evaluator does not know, or bytes that are no such message. */
export function openConfig(any: Any | undefined): Config | undefined {
  if (any === undefined) return undefined;
  let found = opened.get(any);
  if (found === undefined) {
    found = read(any) ?? "unknown";
    opened.set(any, found);
  }
  return found === "unknown" ? undefined : found;
}

function read(any: Any): Config | undefined {
  const kind = kindOf.get(any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1));
  if (kind === undefined) return undefined;
  try {
    const value: Message | undefined = anyUnpack(any, registry);
    return value === undefined ? undefined : ({ kind, value } as Config);
  } catch {
    return undefined;
  }
}
