import { create, type Message, type MessageInitShape } from "@bufbuild/protobuf";
import type { Http2ProtocolOptionsSchema, HttpProtocolOptionsSchema } from "../../gen/envoy/config/core/v3/protocol_pb.js";
import { HttpProtocolOptions_HeadersWithUnderscoresAction as Underscores } from "../../gen/envoy/config/core/v3/protocol_pb.js";
import type { RouteConfiguration } from "../../gen/envoy/config/route/v3/route_pb.js";
import { type Filter, FilterSchema } from "../../gen/envoy/config/listener/v3/listener_components_pb.js";
import {
  HttpConnectionManager_CodecType as Codec,
  HttpConnectionManager_ForwardClientCertDetails as ClientCert,
  HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes,
  HttpConnectionManager_ServerHeaderTransformation as ServerHeader,
  HttpConnectionManagerSchema,
} from "../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import type { HttpConnection } from "../../ir/http-connection.ts";
import { httpAccessLog } from "./access-log.ts";
import { packAny, toDuration } from "./any.ts";
import { toCidrRange } from "./cidr-range.ts";
import { adsSource } from "./extension-slot.ts";
import { toHttpFilters } from "./filter-order.ts";
import { connectionLimits, type ListenerSettings } from "./listener-settings.ts";
import { FILTER } from "./names.ts";
import type { EnvoyResource } from "./resource.ts";
import { withoutMeshHeaders } from "./http-connection-headers.ts";
import { toEnvoyRouteTable } from "./virtual-host.ts";

type ManagerInit = Exclude<MessageInitShape<typeof HttpConnectionManagerSchema>, Message>;

const CODEC = { auto: Codec.AUTO, http1: Codec.HTTP1, http2: Codec.HTTP2 } as const;
const STREAM_WINDOW = 65_536;
const CONNECTION_WINDOW = 1_048_576;

/** The network filter that speaks HTTP; its limits follow from the connection's role and the mesh's profile (Envoy's edge advice at gateways). */
export function toHttpConnectionFilter(connection: HttpConnection, settings: ListenerSettings): Filter {
  const manager = packAny(HttpConnectionManagerSchema, connectionManager(connection, settings));
  return create(FilterSchema, { name: FILTER.httpConnectionManager, configType: { case: "typedConfig", value: manager } });
}

function connectionManager(connection: HttpConnection, settings: ListenerSettings): ManagerInit {
  return {
    statPrefix: connection.statPrefix,
    codecType: CODEC[connection.codec],
    routeSpecifier: routesOf(connection),
    httpFilters: toHttpFilters(connection),
    upgradeConfigs: connection.websocketUpgrade ? [{ upgradeType: "websocket" }] : [],
    accessLog: httpAccessLog(settings),
    serverHeaderTransformation: ServerHeader.PASS_THROUGH,
    drainTimeout: toDuration(5000),
    ...limitsOf(connection, settings),
    ...trustOf(connection),
    ...pathOf(settings),
  };
}

/** What the connection needs beside its listener. */
export function httpReferences({ routes, slots }: HttpConnection): EnvoyResource["references"] {
  const named = "rds" in routes ? [{ type: "route", name: routes.rds } as const] : toEnvoyRouteTable(routes.inline).references;
  const extensions = Object.values<string | undefined>({ ...slots }).flatMap((name) =>
    name === undefined ? [] : [{ type: "extension", name } as const],
  );
  return [...named, ...extensions];
}

function routesOf({ routes }: HttpConnection): NonNullable<ManagerInit["routeSpecifier"]> {
  if ("rds" in routes) return { case: "rds", value: { routeConfigName: routes.rds, configSource: adsSource() } };
  return { case: "routeConfig", value: toEnvoyRouteTable(routes.inline).message as RouteConfiguration };
}

function limitsOf(connection: HttpConnection, settings: ListenerSettings): ManagerInit {
  const edge = connection.role === "gateway";
  const strict = settings.profile === "zero-trust";
  const http2: MessageInitShape<typeof Http2ProtocolOptionsSchema> = {
    ...(edge && { maxConcurrentStreams: 100 }),
    initialStreamWindowSize: STREAM_WINDOW,
    initialConnectionWindowSize: CONNECTION_WINDOW,
    // One bad request must not end the other streams of a connection that many callers share.
    overrideStreamErrorOnInvalidHttpMessage: true,
  };
  return {
    commonHttpProtocolOptions: commonOptions(connection, settings),
    http2ProtocolOptions: http2,
    // A time limit of Envoy's own (5 minutes) would apply where the field is absent.
    streamIdleTimeout: toDuration(strict ? 300_000 : 0),
    ...(edge && strict && { requestTimeout: toDuration(300_000), requestHeadersTimeout: toDuration(10_000) }),
    maxRequestHeadersKb: 60,
  };
}

function commonOptions({ role }: HttpConnection, settings: ListenerSettings): MessageInitShape<typeof HttpProtocolOptionsSchema> {
  // The own application's connection shows no certificate; the peer's inbound side bounds what goes on from here.
  const limits = role === "outbound" ? undefined : connectionLimits(settings);
  const strict = settings.profile === "zero-trust";
  return {
    idleTimeout: toDuration(3_600_000),
    ...(role !== "outbound" && strict && { headersWithUnderscoresAction: Underscores.REJECT_REQUEST, maxHeadersCount: 100 }),
    ...(limits !== undefined && { maxConnectionDuration: toDuration(limits.connectionMs), maxStreamDuration: toDuration(limits.streamMs) }),
  };
}

/** Nobody's address. Without any, Envoy takes every private one for internal, and heeds what its requests say in `x-envoy-*` headers. */
const NOBODY = toCidrRange("255.255.255.255");

/**
 * Who the peer is comes from its connection alone. A gateway replaces X-Forwarded-For's claims but for the hops that are trusted; an inbound
 * connection puts the mTLS peer's identity in X-Forwarded-Client-Cert in place of whatever was sent, an outbound one sends none.
 */
function trustOf({ role, trustedHops = 0 }: HttpConnection): ManagerInit {
  const outside: ManagerInit = { internalAddressConfig: { cidrRanges: [NOBODY] } };
  switch (role) {
    case "gateway":
      return {
        ...outside,
        earlyHeaderMutationExtensions: [withoutMeshHeaders()],
        useRemoteAddress: true,
        xffNumTrustedHops: trustedHops,
        forwardClientCertDetails: ClientCert.SANITIZE_SET,
        setCurrentClientCertDetails: { subject: true, uri: true, dns: true },
      };
    case "inbound":
      return {
        ...outside,
        useRemoteAddress: false,
        forwardClientCertDetails: ClientCert.SANITIZE_SET,
        setCurrentClientCertDetails: { uri: true },
      };
    case "outbound":
      return { useRemoteAddress: false, forwardClientCertDetails: ClientCert.SANITIZE };
  }
}

function pathOf({ pathNormalization, profile }: ListenerSettings): ManagerInit {
  const mode = pathNormalization;
  return {
    normalizePath: mode !== "none",
    mergeSlashes: mode === "merge-slashes" || mode === "decode-and-merge-slashes",
    pathWithEscapedSlashesAction: mode === "decode-and-merge-slashes" ? EscapedSlashes.UNESCAPE_AND_FORWARD : EscapedSlashes.KEEP_UNCHANGED,
    stripTrailingHostDot: profile === "zero-trust",
  };
}
