/** Envoy's names of its filters and transport sockets: by them, and by the type of their configuration, Envoy finds its extensions. */
export const FILTER = {
  httpConnectionManager: "envoy.filters.network.http_connection_manager",
  tcpProxy: "envoy.filters.network.tcp_proxy",
  cors: "envoy.filters.http.cors",
  fault: "envoy.filters.http.fault",
  router: "envoy.filters.http.router",
  setFilterState: "envoy.filters.http.set_filter_state",
  originalDestination: "envoy.filters.listener.original_dst",
  tlsInspector: "envoy.filters.listener.tls_inspector",
  httpInspector: "envoy.filters.listener.http_inspector",
  dns: "envoy.filters.udp.dns_filter",
} as const;

export const TRANSPORT_SOCKET_TLS = "envoy.transport_sockets.tls";
export const ACCESS_LOG_FILE = "envoy.access_loggers.file";
export const ACCESS_LOG_FILTER_CEL = "envoy.access_loggers.extension_filters.cel";
