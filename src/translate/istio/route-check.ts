import type { FaultInjection, ForwardAction, HeaderOperations, Route } from "../../ir/route.ts";

/** Envoy refuses a whole route table for one of these characters in one header, path or host. */
const FORBIDDEN = /[\0\r\n]/;

/** Words between percent signs that Envoy knows in header values; for another it would refuse the whole table. */
const COMMANDS = new Set(
  (
    "BYTES_RECEIVED BYTES_SENT CONNECTION_ID CONNECTION_TERMINATION_DETAILS DOWNSTREAM_DIRECT_REMOTE_ADDRESS DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT " +
    "DOWNSTREAM_LOCAL_ADDRESS DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT DOWNSTREAM_LOCAL_PORT DOWNSTREAM_LOCAL_SUBJECT DOWNSTREAM_LOCAL_URI_SAN DOWNSTREAM_PEER_CERT " +
    "DOWNSTREAM_PEER_CERT_V_END DOWNSTREAM_PEER_CERT_V_START DOWNSTREAM_PEER_FINGERPRINT_1 DOWNSTREAM_PEER_FINGERPRINT_256 DOWNSTREAM_PEER_ISSUER DOWNSTREAM_PEER_SERIAL " +
    "DOWNSTREAM_PEER_SUBJECT DOWNSTREAM_PEER_URI_SAN DOWNSTREAM_REMOTE_ADDRESS DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT DOWNSTREAM_REMOTE_PORT DOWNSTREAM_TLS_CIPHER " +
    "DOWNSTREAM_TLS_SESSION_ID DOWNSTREAM_TLS_VERSION DURATION DYNAMIC_METADATA FILTER_STATE HOSTNAME PROTOCOL REQ REQUESTED_SERVER_NAME RESP RESPONSE_CODE " +
    "RESPONSE_CODE_DETAILS RESPONSE_FLAGS ROUTE_NAME START_TIME TRACE_ID UPSTREAM_CLUSTER UPSTREAM_HOST UPSTREAM_LOCAL_ADDRESS UPSTREAM_METADATA UPSTREAM_REMOTE_ADDRESS " +
    "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT VIRTUAL_CLUSTER_NAME"
  ).split(" "),
);
/** These make no sense without what stands in the brackets. */
const WITH_ARGUMENT = new Set(["REQ", "RESP", "DYNAMIC_METADATA", "FILTER_STATE", "UPSTREAM_METADATA"]);

/** What in a route would make Envoy refuse the table that it stands in; undefined for a route that it takes. */
export function checkRoute(route: Route): string | undefined {
  return checkMatch(route) ?? checkHeaders(route.requestHeaders) ?? checkHeaders(route.responseHeaders) ?? checkAction(route.action);
}

function checkMatch({ match }: Route): string | undefined {
  const texts = [match.path.value, ...match.headers.flatMap(({ name, value }) => [name, "value" in value ? value.value : ""])];
  if (match.query.some(({ name }) => name.length > 1024)) return "the name of a query parameter is longer than 1024 characters";
  return checkTexts(texts);
}

function checkAction(action: Route["action"]): string | undefined {
  switch (action.kind) {
    case "direct":
      return action.status >= 200 && action.status < 600 ? undefined : `${action.status} is no status that can be answered`;
    case "redirect":
      if (action.port !== undefined && (action.port < 1 || action.port > 65_535)) return `${action.port} is no port`;
      return checkTexts([action.host ?? "", action.path ?? "", action.scheme ?? ""]);
    case "forward":
      return checkForward(action);
  }
}

function checkForward({ destinations, rewrite, fault, hashPolicy = [] }: ForwardAction): string | undefined {
  for (const { requestHeaders, responseHeaders } of destinations) {
    const problem = checkHeaders(requestHeaders) ?? checkHeaders(responseHeaders);
    if (problem !== undefined) return problem;
  }
  if (hashPolicy.some((policy) => "name" in policy && policy.name === "")) return "what requests are hashed by has no name";
  return checkTexts([rewrite?.host ?? "", rewrite?.path ?? ""]) ?? checkSubstitution(rewrite?.pathRegex?.substitution) ?? checkFault(fault);
}

function checkFault(fault: FaultInjection | undefined): string | undefined {
  const status = fault?.abort?.httpStatus ?? 500;
  return status >= 200 && status < 600 ? undefined : `${status} is no status that can be answered`;
}

/** RE2's form: a backslash is followed by a digit or by another. */
function checkSubstitution(text = ""): string | undefined {
  return /^(?:[^\\\0\r\n]|\\[0-9\\])*$/.test(text) ? undefined : "in the rewrite's text a backslash needs a digit or a backslash behind it";
}

function checkHeaders(operations: HeaderOperations | undefined): string | undefined {
  if (operations === undefined) return undefined;
  const pairs = [...Object.entries(operations.set ?? {}), ...Object.entries(operations.add ?? {})];
  if ([...pairs.map(([name]) => name), ...(operations.remove ?? [])].includes("")) return "a header has no name";
  for (const [name, value] of pairs) {
    const problem = checkFormat(value);
    if (problem !== undefined) return `header "${name}": ${problem}`;
  }
  return checkTexts([...pairs.flat(), ...(operations.remove ?? [])]);
}

/** A percent sign begins one of Envoy's commands, or is doubled. */
function checkFormat(value: string): string | undefined {
  const rest = value.replaceAll("%%", "").replace(/%([A-Z0-9_]+)(\([^()%]+\))?(:\d+)?%/g, (whole, command: string, argument?: string) => {
    return COMMANDS.has(command) && (argument !== undefined || !WITH_ARGUMENT.has(command)) ? "" : whole;
  });
  return rest.includes("%") ? "a percent sign must be doubled, or begin one of Envoy's commands" : undefined;
}

function checkTexts(texts: readonly string[]): string | undefined {
  return texts.some((text) => FORBIDDEN.test(text)) ? "a line break or a null character stands in a header, path or host" : undefined;
}
