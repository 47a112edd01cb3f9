import type { HttpConnectionManager } from "../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import {
  HttpConnectionManager_ForwardClientCertDetails as ClientCert,
  HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes,
} from "../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { HttpProtocolOptions_HeadersWithUnderscoresAction as Underscores } from "../gen/envoy/config/core/v3/protocol_pb.js";
import { type Client, identifyClient } from "./client-address.ts";
import { openConfig } from "./config.ts";
import type { Accepted } from "./connection.ts";
import { type HttpMessage, splitQuery, valuesOf, withGenerated, withHeader, withoutHeaders } from "./http-message.ts";
import { mergeSlashes, normalizePath, unescapeSlashes } from "./path.ts";
import { Undecidable } from "./undecidable.ts";
import { portStart } from "./virtual-host-match.ts";

export type Prepared =
  | (Client & { readonly kind: "request" })
  | { readonly kind: "answer"; readonly status: number; readonly detail: string; readonly location?: string };

/** What a connection manager makes of a request before any filter sees it, in Envoy's order. */
export function prepareRequest(manager: HttpConnectionManager, connection: Accepted, raw: HttpMessage): Prepared {
  const checked = checkHeaders(manager, raw);
  if ("kind" in checked) return checked;
  const withPath = preparePath(manager, checked);
  if ("kind" in withPath) return withPath;
  const mutated = mutateEarly(manager, { ...withPath, authority: hostOf(manager, withPath.authority) });
  const client = identifyClient(manager, mutated, connection.source);
  return { kind: "request", ...client, message: withOwnHeaders(manager, connection, client) };
}

/** The methods that Envoy's HTTP/1 codec takes. */
const METHODS = new Set(
  (
    "ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK M-SEARCH MERGE MKACTIVITY MKCALENDAR MKCOL MOVE NOTIFY OPTIONS PATCH POST " +
    "PROPFIND PROPPATCH PURGE PUT REBIND REPORT SEARCH SOURCE SUBSCRIBE TRACE UNBIND UNLINK UNLOCK UNSUBSCRIBE"
  ).split(" "),
);

function checkHeaders({ commonHttpProtocolOptions }: HttpConnectionManager, message: HttpMessage): HttpMessage | Prepared {
  if (message.version === "http1" && !METHODS.has(message.method)) return refuse(400, `method ${message.method} is unknown`);
  if (!/^[!-~]*$/.test(message.path)) return refuse(400, "the path has a character that must be escaped");
  const action = commonHttpProtocolOptions?.headersWithUnderscoresAction ?? Underscores.ALLOW;
  const underscored = message.headers.filter(([name]) => name.includes("_")).map(([name]) => name);
  if (underscored.length > 0 && action === Underscores.REJECT_REQUEST) return refuse(400, `header ${underscored[0]} has an underscore`);
  const clean = action === Underscores.DROP_HEADER ? withoutHeaders(message, underscored) : message;
  if (clean.authority === "") return refuse(400, "the request names no host");
  const limit = commonHttpProtocolOptions?.maxHeadersCount ?? 100;
  if (clean.headers.length > limit) return refuse(431, "the request has too many headers");
  return clean;
}

function refuse(status: number, detail: string): Prepared {
  return { kind: "answer", status, detail };
}

function preparePath(manager: HttpConnectionManager, message: HttpMessage): HttpMessage | Prepared {
  let path = message.path;
  if (message.method === "CONNECT") throw new Undecidable("CONNECT requests");
  if (!path.startsWith("/")) return refuse(path === "*" ? 404 : 400, "the path does not begin with a slash");
  if (path.includes("#")) return refuse(400, "the path has a fragment");
  const action = manager.pathWithEscapedSlashesAction;
  const unescaped = unescapeSlashes(path);
  const redirects = unescaped !== path && action === EscapedSlashes.UNESCAPE_AND_REDIRECT;
  if (action !== EscapedSlashes.KEEP_UNCHANGED && action !== EscapedSlashes.IMPLEMENTATION_SPECIFIC_DEFAULT) {
    if (unescaped !== path && action === EscapedSlashes.REJECT_REQUEST) return refuse(400, "the path has an escaped slash");
    path = unescaped;
  }
  if (manager.normalizePath === true) {
    const normal = normalizePath(path);
    if (normal === undefined) return refuse(400, "the path can't be normalised");
    path = normal;
  }
  if (manager.mergeSlashes) path = mergeSlashes(path);
  if (redirects) return { kind: "answer", status: 307, detail: "the path has an escaped slash", location: path };
  return { ...message, path };
}

function hostOf({ stripTrailingHostDot, stripPortMode, stripMatchingHostPort }: HttpConnectionManager, authority: string): string {
  if (stripMatchingHostPort) throw new Undecidable("strip_matching_host_port");
  const colon = portStart(authority);
  const [name, port] = colon === -1 ? [authority, ""] : [authority.slice(0, colon), authority.slice(colon)];
  const plain = stripTrailingHostDot && name.endsWith(".") ? name.slice(0, -1) : name;
  return stripPortMode.case === "stripAnyHostPort" && stripPortMode.value ? plain : plain + port;
}

function mutateEarly({ earlyHeaderMutationExtensions }: HttpConnectionManager, message: HttpMessage): HttpMessage {
  let changed = message;
  for (const { name, typedConfig } of earlyHeaderMutationExtensions) {
    const config = openConfig(typedConfig);
    if (config?.kind !== "headerMutation") throw new Undecidable(`early header mutation ${name}`);
    for (const { action } of config.value.mutations) {
      if (action.case !== "remove") throw new Undecidable(`early header mutation ${name}`);
      changed = withoutHeaders(changed, [action.value]);
    }
  }
  return changed;
}

/** Headers that only proxies of the same owner may send on (Envoy's list). */
const INTERNAL_HEADERS = [
  "x-envoy-retriable-status-codes",
  "x-envoy-retriable-header-names",
  "x-envoy-ip-tags",
  "x-envoy-original-url",
  "x-envoy-retry-on",
  "x-envoy-retry-grpc-on",
  "x-envoy-max-retries",
  "x-envoy-upstream-alt-stat-name",
  "x-envoy-upstream-rq-timeout-ms",
  "x-envoy-upstream-rq-per-try-timeout-ms",
  "x-envoy-upstream-rq-timeout-alt-response",
  "x-envoy-expected-rq-timeout-ms",
  "x-envoy-force-trace",
  "x-envoy-is-timeout-retry",
  "x-envoy-hedge-on-per-try-timeout",
  "x-envoy-internal",
];
const EDGE_HEADERS = ["x-envoy-downstream-service-cluster", "x-envoy-downstream-service-node"];

function withOwnHeaders(manager: HttpConnectionManager, connection: Accepted, { message, isInternal }: Client): HttpMessage {
  const edge = !isInternal && manager.useRemoteAddress === true;
  let own = isInternal
    ? withHeader(message, "x-envoy-internal", "true")
    : withoutHeaders(message, [...INTERNAL_HEADERS, ...(edge ? EDGE_HEADERS : [])]);
  const scheme = connection.tls === undefined ? "http" : "https";
  const claimed = valuesOf(own, "x-forwarded-proto");
  if (claimed.length === 0 || (edge && manager.xffNumTrustedHops === 0)) own = withHeader(own, "x-forwarded-proto", scheme);
  own = { ...own, scheme: valuesOf(own, "x-forwarded-proto")[0] === "https" ? "https" : "http" };
  const keepsId = valuesOf(own, "x-request-id").length > 0 && (!edge || manager.preserveExternalRequestId);
  if (manager.generateRequestId !== false && !keepsId) own = withGenerated(own, "x-request-id");
  return withClientCertificate(manager, connection, own);
}

const XFCC = "x-forwarded-client-cert";

function withClientCertificate(manager: HttpConnectionManager, { tls }: Accepted, message: HttpMessage): HttpMessage {
  const mode = manager.forwardClientCertDetails;
  if (mode === ClientCert.ALWAYS_FORWARD_ONLY) return message;
  const mutual = tls?.peer !== undefined;
  if (!mutual || mode === ClientCert.SANITIZE) return withoutHeaders(message, [XFCC]);
  return mode === ClientCert.FORWARD_ONLY ? message : withGenerated(message, XFCC);
}

export function isUpgradeAllowed({ upgradeConfigs }: HttpConnectionManager, message: HttpMessage): boolean {
  const wanted = valuesOf(message, "upgrade")[0];
  if (wanted === undefined || message.version === "http2") return true;
  return upgradeConfigs.some(({ upgradeType, enabled }) => upgradeType.toLowerCase() === wanted.toLowerCase() && enabled !== false);
}

/** `http://host/path` as a request's target is split by the codec. */
export function splitTarget(message: HttpMessage): HttpMessage {
  const match = /^https?:\/\/([^/?#]+)(.*)$/i.exec(message.path);
  if (match === null || message.version === "http2") return message;
  const rest = match[2] === "" || match[2] === undefined ? "/" : match[2];
  return { ...message, authority: match[1] ?? "", path: splitQuery(rest)[0] === "" ? `/${rest}` : rest };
}
