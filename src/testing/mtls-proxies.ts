import { createRegistry, type DescMessage, fromJson, toBinary } from "@bufbuild/protobuf";
import { ClusterSchema } from "../gen/envoy/config/cluster/v3/cluster_pb.js";
import { ListenerSchema } from "../gen/envoy/config/listener/v3/listener_pb.js";
import { file_envoy_extensions_filters_http_router_v3_router } from "../gen/envoy/extensions/filters/http/router/v3/router_pb.js";
import { file_envoy_extensions_filters_network_http_connection_manager_v3_http_connection_manager } from "../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { file_envoy_extensions_transport_sockets_tls_v3_tls } from "../gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js";
import { file_envoy_extensions_upstreams_http_v3_http_protocol_options } from "../gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js";
import type { FakeResources } from "./fake-ads.ts";

const TYPE = "type.googleapis.com/envoy";
const CLUSTER = `${TYPE}.config.cluster.v3.Cluster`;
const LISTENER = `${TYPE}.config.listener.v3.Listener`;

const registry = createRegistry(
  file_envoy_extensions_filters_http_router_v3_router,
  file_envoy_extensions_filters_network_http_connection_manager_v3_http_connection_manager,
  file_envoy_extensions_transport_sockets_tls_v3_tls,
  file_envoy_extensions_upstreams_http_v3_http_protocol_options,
);

/** An Envoy that answers 200 over mTLS to one identity only, with that identity as the body's header. */
export function mtlsServer(port: number, clientIdentity: string): FakeResources {
  const server = listener(port, answer(), tls("DownstreamTlsContext", clientIdentity));
  return {
    [LISTENER]: { server: encode(ListenerSchema, server) },
    [CLUSTER]: { unused: encode(ClusterSchema, { name: "unused", type: "STATIC", load_assignment: { cluster_name: "unused" } }) },
  };
}

/** An Envoy that takes plain HTTP on one port and passes it on by mTLS to a server of one identity; no connection is used twice. */
export function mtlsClient(port: number, serverPort: number, serverIdentity: string): FakeResources {
  const cluster = {
    name: "server",
    type: "STATIC",
    connect_timeout: "2s",
    load_assignment: { cluster_name: "server", endpoints: [{ lb_endpoints: [{ endpoint: { address: at(serverPort) } }] }] },
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": `${TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions`,
        common_http_protocol_options: { max_requests_per_connection: 1 },
        explicit_http_config: { http_protocol_options: {} },
      },
    },
    transport_socket: tls("UpstreamTlsContext", serverIdentity),
  };
  return {
    [LISTENER]: { client: encode(ListenerSchema, listener(port, { route: { cluster: "server" } })) },
    [CLUSTER]: { server: encode(ClusterSchema, cluster) },
  };
}

function answer(): object {
  return {
    direct_response: { status: 200, body: { inline_string: "ok" } },
    response_headers_to_add: [{ header: { key: "x-peer", value: "%DOWNSTREAM_PEER_URI_SAN%" } }],
  };
}

function at(port: number): object {
  return { socket_address: { address: "127.0.0.1", port_value: port } };
}

function listener(port: number, action: object, transportSocket?: object): object {
  const routes = [{ match: { prefix: "/" }, ...action }];
  const manager = {
    "@type": `${TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: "http",
    http_filters: [{ name: "router", typed_config: { "@type": `${TYPE}.extensions.filters.http.router.v3.Router` } }],
    route_config: { name: "routes", virtual_hosts: [{ name: "all", domains: ["*"], routes }] },
  };
  const filters = [{ name: "http", typed_config: manager }];
  return {
    name: `listener-${port}`,
    address: at(port),
    filter_chains: [{ filters, ...(transportSocket && { transport_socket: transportSocket }) }],
  };
}

function tls(kind: "DownstreamTlsContext" | "UpstreamTlsContext", peer: string): object {
  const sds = (name: string) => ({ name, sds_config: { ads: {}, resource_api_version: "V3" } });
  const common = {
    tls_params: { tls_minimum_protocol_version: "TLSv1_3", tls_maximum_protocol_version: "TLSv1_3" },
    tls_certificate_sds_secret_configs: [sds("default")],
    combined_validation_context: {
      default_validation_context: { match_typed_subject_alt_names: [{ san_type: "URI", matcher: { exact: peer } }] },
      validation_context_sds_secret_config: sds("ROOTCA"),
    },
  };
  const context = { "@type": `${TYPE}.extensions.transport_sockets.tls.v3.${kind}`, common_tls_context: common };
  const demand = kind === "DownstreamTlsContext" ? { require_client_certificate: true } : {};
  return { name: "envoy.transport_sockets.tls", typed_config: { ...context, ...demand } };
}

function encode(schema: DescMessage, json: object) {
  const bytes = toBinary(schema, fromJson(schema, json as never, { registry }));
  return { version: "1", bytes };
}
