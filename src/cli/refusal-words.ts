import { declaredName } from "../model/resource.ts";

/** As much of a line of a proxy's access log as says how a request or connection ended. */
export interface Ending {
  readonly response_flags?: string | null;
  readonly response_code_details?: string | null;
  readonly connection_termination_details?: string | null;
  readonly upstream_transport_failure_reason?: string | null;
  readonly downstream_transport_failure_reason?: string | null;
}

const HTTP_FAULT =
  "the answer breaks HTTP (Envoy takes no Transfer-Encoding twice or beside Content-Length, none with 204, no illegal header name, no more than 60 KiB or 100 headers)";

/** What Envoy's reset reasons mean; `%RESPONSE_CODE_DETAILS%` has them in braces. */
const RESETS: Readonly<Record<string, string>> = {
  protocol_error: HTTP_FAULT,
  connection_termination: "the next hop closed the connection before it answered",
  remote_reset: "the next hop reset the request",
  remote_refused_stream_reset: "the next hop refused the request",
  remote_connection_failure: "the connection to the next hop failed",
  local_connection_failure: "the connection to the next hop failed",
  connection_timeout: "nobody took the connection in time",
  overflow: "a limit of the DestinationRule's connectionPool is reached",
};

/** Envoy's own answers by their details (https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/response_code_details). */
const DETAILS: readonly (readonly [RegExp, string])[] = [
  [/^route_not_found/, "no route for this host and path"],
  [/^cluster_not_found/, "the route leads to a destination that isn't there"],
  [/^no_healthy_upstream/, "no ready endpoint"],
  [/^(upstream_response_timeout|response_timeout|upstream_per_try_timeout)/, "no answer within the route's timeout"],
  [
    /^(stream_idle_timeout|upstream_idle_timeout|max_duration_timeout|upstream_max_stream_duration_reached)/,
    "the connection's time was up",
  ],
  [/^(request_header_timeout|request_overall_timeout)/, "the client sent its request too slowly"],
  [/^ext_authz_denied/, "the authorizer refused it"],
  [/^ext_authz_error/, "the authorizer could not be asked"],
  [/^upgrade_failed/, "the upgrade (WebSocket) is not allowed on this route"],
  [/^(overload_manager|overload)/, "the proxy is overloaded"],
  [/^(request_payload_too_large|request_headers_too_large)/, "the request is too large"],
  [
    /^(path_normalization_failed|http[12]?\.|low_version|missing_host_header|absolute_path_rejected|filter_removed_required_request_headers)/,
    "the request breaks HTTP",
  ],
  [/^downstream_(remote_disconnect|local_disconnect)/, "the client went away"],
  [/filter_chain_not_found/, "no listener takes such a connection: plaintext where mutual TLS is required, or an unknown server name"],
];

/** Envoy's response flags; see the documentation of its access log. */
const FLAGS: Readonly<Record<string, string>> = {
  DC: "the client went away",
  DPE: "the request breaks HTTP",
  DT: "the connection's time was up",
  FI: "a fault that a VirtualService injects",
  DI: "a delay that a VirtualService injects",
  LH: "the endpoint's health check fails",
  LR: "the proxy reset the connection",
  NC: "the route leads to a destination that isn't there",
  NR: "no route for this host and path",
  OM: "the proxy is overloaded",
  RL: "a rate limit",
  UAEX: "the authorizer refused it",
  UC: "the next hop closed the connection before it answered",
  UF: "the connection to the next hop failed",
  UH: "no ready endpoint",
  UMSDR: "the request took longer than it may",
  UO: "a limit of the DestinationRule's connectionPool is reached",
  UPE: HTTP_FAULT,
  UR: "the next hop reset the request",
  URX: "all tries of the retry policy failed",
  UT: "no answer within the route's timeout",
  SI: "the connection's time was up",
};

/** Why a request or connection ended as it did, in words; empty where the answer is the application's own. */
export function whyItEnded(line: Ending): string {
  const words = [policyWords(line) ?? detailWords(line) ?? flagWords(line) ?? "", ...transportWords(line)];
  return words.filter((text) => text !== "").join(": ");
}

function policyWords({ response_code_details: details, connection_termination_details: termination }: Ending): string | undefined {
  const policy = /rbac_access_denied_matched_policy\[(.*)\]/.exec(`${details ?? ""} ${termination ?? ""}`)?.[1];
  if (policy === undefined) return undefined;
  const [, namespace, name, rule] = /^ns\[(.*?)\]-policy\[(.*?)\](?:-rule\[(\d+)\])?/.exec(policy) ?? [];
  if (name === undefined) return "denied: no AuthorizationPolicy allows it";
  return `denied by AuthorizationPolicy ${namespace}/${declaredName(name)}${rule === undefined ? "" : `, rule ${Number(rule) + 1}`}`;
}

function detailWords({ response_code_details: details }: Ending): string | undefined {
  if (!details || details.startsWith("via_upstream")) return undefined;
  const jwt = /^jwt_authn_access_denied\{(.*)\}/.exec(details)?.[1];
  if (jwt !== undefined) return `the token is refused: ${jwt.replaceAll("_", " ")}`;
  const [, when, reset = ""] = /^upstream_reset_(before|after)_response_started\{([^|}]*)/.exec(details) ?? [];
  if (when !== undefined)
    return `${RESETS[reset] ?? reset.replaceAll("_", " ")}${when === "after" ? " (in the middle of the answer)" : ""}`;
  return DETAILS.find(([pattern]) => pattern.test(details))?.[1];
}

function flagWords({ response_flags: flags, response_code_details: details }: Ending): string | undefined {
  const known = (flags ?? "").split(",").flatMap((flag) => FLAGS[flag] ?? []);
  if (known.length > 0) return known.join("; ");
  return details && !/^(via_upstream|direct_response)/.test(details) ? details : undefined;
}

function transportWords({
  upstream_transport_failure_reason: upstream,
  downstream_transport_failure_reason: downstream,
}: Ending): readonly string[] {
  return [upstream, downstream].flatMap((reason) => (reason ? [reason] : []));
}
