import { create } from "@bufbuild/protobuf";
import type { JsonObject } from "@bufbuild/protobuf";
import { type AccessLog, AccessLogSchema } from "../../gen/envoy/config/accesslog/v3/accesslog_pb.js";
import { FileAccessLogSchema } from "../../gen/envoy/extensions/access_loggers/file/v3/file_pb.js";
import { packAny } from "./any.ts";
import type { ListenerSettings } from "./listener-settings.ts";
import { ACCESS_LOG_FILE } from "./names.ts";

/** Where a proxy writes when nobody says otherwise: its agent reads it there. */
const STANDARD_OUTPUT = "/dev/stdout";

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

export function httpAccessLog(settings: Pick<ListenerSettings, "accessLog" | "profile">): AccessLog[] {
  return accessLog(settings, { ...REQUEST, ...CONNECTION });
}

export function tcpAccessLog(settings: Pick<ListenerSettings, "accessLog" | "profile">): AccessLog[] {
  return accessLog(settings, CONNECTION);
}

/** Istio writes none unless asked to. */
function accessLog({ accessLog: declared, profile }: Pick<ListenerSettings, "accessLog" | "profile">, fields: JsonObject): AccessLog[] {
  const path = declared?.path ?? (profile === "zero-trust" ? STANDARD_OUTPUT : undefined);
  if (path === undefined) return [];
  const config = packAny(FileAccessLogSchema, {
    path,
    accessLogFormat: { case: "logFormat", value: { format: { case: "jsonFormat", value: fields } } },
  });
  return [create(AccessLogSchema, { name: ACCESS_LOG_FILE, configType: { case: "typedConfig", value: config } })];
}
