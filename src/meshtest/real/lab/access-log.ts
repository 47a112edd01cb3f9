import type { ProxyLogLine } from "../../../evaluate/index.ts";
import { create, fromBinary, type JsonObject } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { type AccessLog, AccessLogSchema } from "../../../gen/envoy/config/accesslog/v3/accesslog_pb.js";
import { TrafficDirection } from "../../../gen/envoy/config/core/v3/base_pb.js";
import {
  type Filter,
  type FilterChain,
  FilterChainSchema,
  FilterSchema,
} from "../../../gen/envoy/config/listener/v3/listener_components_pb.js";
import { type Listener, ListenerSchema } from "../../../gen/envoy/config/listener/v3/listener_pb.js";
import { StdoutAccessLogSchema } from "../../../gen/envoy/extensions/access_loggers/stream/v3/stream_pb.js";
import {
  type HttpConnectionManager,
  HttpConnectionManagerSchema,
} from "../../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { TcpProxySchema } from "../../../gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import type { Proxy } from "../../../model/proxy.ts";
import { encodeResource, packAny, typeUrlOf } from "../../../translate/envoy/any.ts";
import type { EnvoyResource } from "../../../translate/envoy/resource.ts";

/** Of both kinds of line; what Envoy has no value for is left out. */
const CONNECTION: JsonObject = {
  flags: "%RESPONSE_FLAGS%",
  terminationDetails: "%CONNECTION_TERMINATION_DETAILS%",
  downstreamFailure: "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%",
  upstreamFailure: "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
  filterChain: "%FILTER_CHAIN_NAME%",
  cluster: "%UPSTREAM_CLUSTER_RAW%",
  upstreamHost: "%UPSTREAM_HOST%",
  upstreamLocal: "%UPSTREAM_LOCAL_ADDRESS%",
  remote: "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%",
  local: "%DOWNSTREAM_LOCAL_ADDRESS%",
  peerPrincipal: "%DOWNSTREAM_PEER_URI_SAN%",
  attempts: "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
  details: "%RESPONSE_CODE_DETAILS%",
  start: "%START_TIME(%s.%6f)%",
};
const REQUEST: JsonObject = {
  protocol: "%PROTOCOL%",
  status: "%RESPONSE_CODE%",
  route: "%ROUTE_NAME%",
  requestId: "%REQ(X-REQUEST-ID)%",
  authority: "%REQ(:AUTHORITY)%",
};

const HTTP_URL = typeUrlOf(HttpConnectionManagerSchema);
const TCP_URL = typeUrlOf(TcpProxySchema);
const UNKNOWN_NUMBER = 0;

/**
 * The same listener, with a line on Envoy's standard output for each request, for each TCP connection that was passed on, and for each
 * connection as such: the last says why one got no further than its handshake. Access logs that a user asked for are left out: what they name
 * isn't there.
 */
export function withAccessLog(listener: EnvoyResource, type: Proxy["type"]): EnvoyResource {
  const message = listener.message as Listener;
  const own: JsonObject = {
    direction: type === "router" ? "gateway" : message.trafficDirection === TrafficDirection.INBOUND ? "inbound" : "outbound",
    listener: literal(message.name),
  };
  const chain = (one: FilterChain) => create(FilterChainSchema, { ...one, filters: one.filters.map((filter) => withLines(filter, own)) });
  const { defaultFilterChain } = message;
  const isStream = message.filterChains.length > 0 || defaultFilterChain !== undefined;
  const logged = create(ListenerSchema, {
    ...message,
    filterChains: message.filterChains.map(chain),
    ...(defaultFilterChain !== undefined && { defaultFilterChain: chain(defaultFilterChain) }),
    accessLog: isStream ? logTo({ ...own, ...CONNECTION, of: "connection" }) : [],
  });
  return encodeResource(ListenerSchema, logged, listener);
}

function withLines(filter: Filter, own: JsonObject): Filter {
  if (filter.configType.case !== "typedConfig") return filter;
  const value = withOwnLog(filter.configType.value, own);
  return value === undefined ? filter : create(FilterSchema, { ...filter, configType: { case: "typedConfig", value } });
}

/** Undefined for a filter that has no log. */
function withOwnLog({ typeUrl, value }: Any, own: JsonObject): Any | undefined {
  if (typeUrl === HTTP_URL) {
    const manager = fromBinary(HttpConnectionManagerSchema, value);
    const routes = routesOf(manager);
    const line = { ...own, ...CONNECTION, ...REQUEST, of: "request", ...(routes !== undefined && { routeConfiguration: literal(routes) }) };
    return packAny(HttpConnectionManagerSchema, { ...manager, accessLog: logTo(line) });
  }
  if (typeUrl !== TCP_URL) return undefined;
  return packAny(TcpProxySchema, { ...fromBinary(TcpProxySchema, value), accessLog: logTo({ ...own, ...CONNECTION, of: "tcp" }) });
}

function routesOf({ routeSpecifier }: HttpConnectionManager): string | undefined {
  if (routeSpecifier.case === "rds") return routeSpecifier.value.routeConfigName;
  return routeSpecifier.case === "routeConfig" ? routeSpecifier.value.name : undefined;
}

function logTo(line: JsonObject): AccessLog[] {
  const config = packAny(StdoutAccessLogSchema, {
    accessLogFormat: { case: "logFormat", value: { format: { case: "jsonFormat", value: line }, omitEmptyValues: true } },
  });
  return [create(AccessLogSchema, { name: "lab", configType: { case: "typedConfig", value: config } })];
}

/** A text that Envoy's formatter is not to read. */
function literal(text: string): string {
  return text.replaceAll("%", "%%");
}

/** A line and when what it is about began. */
export interface RawLogLine {
  /** `connection`: of the listener; every request or TCP connection on it has a line of its own, too. */
  readonly of: "request" | "tcp" | "connection";
  readonly line: Omit<ProxyLogLine, "workload">;
  /** When the request or connection began, by this machine's clock. */
  readonly startedAtMs: number;
}

/** Reads what `withAccessLog` had written; undefined for anything else. */
export function readLogLine(value: unknown): RawLogLine | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const fields = value as Readonly<Record<string, unknown>>;
  const of = (["request", "tcp", "connection"] as const).find((one) => one === fields["of"]);
  const direction = (["inbound", "outbound", "gateway"] as const).find((one) => one === fields["direction"]);
  if (of === undefined || direction === undefined) return undefined;
  const text = (key: string) => (typeof fields[key] === "string" && fields[key] !== "-" ? fields[key] : undefined);
  const count = (key: string) => (typeof fields[key] === "number" && fields[key] !== UNKNOWN_NUMBER ? fields[key] : undefined);
  const failures = [text("downstreamFailure"), text("upstreamFailure")].filter((one) => one !== undefined);
  const line = {
    of,
    direction,
    protocol: text("protocol"),
    status: count("status"),
    flags: text("flags"),
    details: text("details"),
    terminationDetails: text("terminationDetails"),
    transportFailure: failures.length === 0 ? undefined : failures.join("; "),
    listener: text("listener"),
    filterChain: text("filterChain"),
    routeConfiguration: text("routeConfiguration"),
    route: text("route"),
    cluster: text("cluster"),
    upstreamHost: text("upstreamHost"),
    peerPrincipal: text("peerPrincipal"),
    requestId: text("requestId"),
    authority: text("authority"),
    upstreamLocal: text("upstreamLocal"),
    remote: text("remote"),
    local: text("local"),
    attempts: count("attempts"),
  };
  const startedAtMs = Number(fields["start"]) * 1000 || 0;
  return { of, line: present(line), startedAtMs };
}

type Present<T> = { [Key in keyof T as undefined extends T[Key] ? never : Key]: T[Key] } & {
  [Key in keyof T as undefined extends T[Key] ? Key : never]?: Exclude<T[Key], undefined>;
};

function present<T extends object>(fields: T): Present<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<T>;
}
