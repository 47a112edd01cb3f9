import { create, type JsonObject, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type AccessLog,
  type AccessLogFilterSchema,
  AccessLogSchema,
  ComparisonFilter_Op,
  GrpcStatusFilter_Status,
} from "../../gen/envoy/config/accesslog/v3/accesslog_pb.js";
import { ExpressionFilterSchema } from "../../gen/envoy/extensions/access_loggers/filters/cel/v3/cel_pb.js";
import { FileAccessLogSchema } from "../../gen/envoy/extensions/access_loggers/file/v3/file_pb.js";
import { packAny } from "./any.ts";
import type { ListenerSettings } from "./listener-settings.ts";
import { ACCESS_LOG_FILE, ACCESS_LOG_FILTER_CEL } from "./names.ts";

const CONNECTION: JsonObject = {
  start_time: "%START_TIME%",
  duration_ms: "%DURATION%",
  bytes_received: "%BYTES_RECEIVED%",
  bytes_sent: "%BYTES_SENT%",
  response_flags: "%RESPONSE_FLAGS%",
  connection_termination_details: "%CONNECTION_TERMINATION_DETAILS%",
  downstream_transport_failure_reason: "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%",
  upstream_transport_failure_reason: "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
  upstream_cluster: "%UPSTREAM_CLUSTER_RAW%",
  upstream_host: "%UPSTREAM_HOST%",
  downstream_local_address: "%DOWNSTREAM_LOCAL_ADDRESS%",
  downstream_remote_address: "%DOWNSTREAM_REMOTE_ADDRESS%",
  requested_server_name: "%REQUESTED_SERVER_NAME%",
  // Leads to what was declared for this port, also where no route was found.
  filter_chain: "%FILTER_CHAIN_NAME%",
  peer: "%DOWNSTREAM_PEER_URI_SAN%",
};

/**
 * No header that may hold a credential, and the path without its query: `access_token` is read from there by default.
 * A refusal names its policy in `response_code_details`: `rbac_access_denied_matched_policy[NAME]`.
 */
const REQUEST: JsonObject = {
  method: "%REQ(:METHOD)%",
  path: "%PATH(NQ:ORIG_OR_PATH)%",
  protocol: "%PROTOCOL%",
  authority: "%REQ(:AUTHORITY)%",
  status: "%RESPONSE_CODE%",
  response_code_details: "%RESPONSE_CODE_DETAILS%",
  route: "%ROUTE_NAME%",
  request_id: "%REQ(X-REQUEST-ID)%",
  traceparent: "%REQ(TRACEPARENT)%",
};

export function httpAccessLog(settings: Pick<ListenerSettings, "accessLog">): AccessLog[] {
  return accessLog(settings, { ...REQUEST, ...CONNECTION }, FAILED_REQUEST);
}

export function tcpAccessLog(settings: Pick<ListenerSettings, "accessLog">): AccessLog[] {
  return accessLog(settings, CONNECTION, FAILED_CONNECTION);
}

type Filter = MessageInitShape<typeof AccessLogFilterSchema>;

/** Any flag but none: what Envoy itself, or a peer that went away, made of it. */
const FLAGGED: Filter = { filterSpecifier: { case: "responseFlagFilter", value: {} } };
/** A runtime key is compulsory; nobody sets it. */
const STATUS_400: Filter = {
  filterSpecifier: {
    case: "statusCodeFilter",
    value: { comparison: { op: ComparisonFilter_Op.GE, value: { defaultValue: 400, runtimeKey: "kumiko.access_log" } } },
  },
};
/** gRPC says in a trailer that a call failed, with status 200. For any other answer Envoy would guess one. */
const FAILED_GRPC: Filter = {
  filterSpecifier: {
    case: "andFilter",
    value: {
      filters: [
        {
          filterSpecifier: {
            case: "headerFilter",
            value: {
              header: {
                name: "content-type",
                headerMatchSpecifier: {
                  case: "stringMatch",
                  value: { matchPattern: { case: "prefix", value: "application/grpc" } },
                },
              },
            },
          },
        },
        { filterSpecifier: { case: "grpcStatusFilter", value: { statuses: [GrpcStatusFilter_Status.OK], exclude: true } } },
      ],
    },
  },
};
const FAILED_REQUEST: Filter = { filterSpecifier: { case: "orFilter", value: { filters: [STATUS_400, FLAGGED, FAILED_GRPC] } } };
/** A refusal by policy sets no flag on a connection, but says why it ended (Envoy's CEL attributes, `connection.termination_details`). */
const TERMINATED: Filter = {
  filterSpecifier: {
    case: "extensionFilter",
    value: {
      name: ACCESS_LOG_FILTER_CEL,
      configType: {
        case: "typedConfig",
        value: packAny(ExpressionFilterSchema, { expression: "size(connection.termination_details) > 0" }),
      },
    },
  },
};
const FAILED_CONNECTION: Filter = { filterSpecifier: { case: "orFilter", value: { filters: [FLAGGED, TERMINATED] } } };

function accessLog({ accessLog: declared }: Pick<ListenerSettings, "accessLog">, fields: JsonObject, errors: Filter): AccessLog[] {
  if (declared === undefined) return [];
  const config = packAny(FileAccessLogSchema, {
    path: declared.path,
    accessLogFormat: { case: "logFormat", value: { format: { case: "jsonFormat", value: fields } } },
  });
  return [
    create(AccessLogSchema, {
      name: ACCESS_LOG_FILE,
      ...(declared.lines === "errors" && { filter: errors }),
      configType: { case: "typedConfig", value: config },
    }),
  ];
}
