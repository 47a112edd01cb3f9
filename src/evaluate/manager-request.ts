import type { HttpConnectionManager } from "../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import {
  HttpConnectionManager_ForwardClientCertDetails as ClientCert,
  HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes,
} from "../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { HttpProtocolOptions_HeadersWithUnderscoresAction as Underscores } from "../gen/envoy/config/core/v3/protocol_pb.js";
import { type Client, identifyClient } from "./client-address.ts";
import { openConfig } from "./config.ts";
import { isMethod, isTarget } from "./first-line.ts";
import type { Accepted } from "./connection.ts";
import {
  FRAMING,
  headBytes,
  type HttpMessage,
  splitQuery,
  upgradeOf,
  valuesOf,
  withGenerated,
  withHeader,
  withoutHeaders,
} from "./http-message.ts";
import { withoutHop, withoutNamed } from "./hop-headers.ts";
import { withOneCookie, withSingleLines } from "./single-lines.ts";
import { mergeSlashes, normalizePath, unescapeSlashes } from "./path.ts";
import { lowerAscii } from "./string-match.ts";
import { Undecidable } from "./undecidable.ts";
import { portStart } from "./virtual-host-match.ts";

export type Prepared =
  | (Client & { readonly kind: "request" })
  | { readonly kind: "answer"; readonly status: number; readonly detail: string; readonly location?: string; readonly body?: string }
  /** The stream ends without an answer. */
  | { readonly kind: "reset"; readonly detail: string };

/** What a connection manager makes of a request before any filter sees it, in Envoy's order. */
export function prepareRequest(manager: HttpConnectionManager, connection: Accepted, raw: HttpMessage): Prepared {
  const checked = checkHeaders(manager, withSingleLines(withOneCookie(raw)));
  if ("kind" in checked) return checked;
  const withPath = preparePath(manager, withoutAnswered(manager, checked));
  if ("kind" in withPath) return withPath;
  const mutated = mutateEarly(manager, { ...withPath, authority: hostOf(manager, withPath.authority) });
  const client = identifyClient(manager, mutated, connection.source);
  return { kind: "request", ...client, message: withOwnHeaders(manager, connection, client) };
}

const DEFAULT_HEADERS_KB = 60;

/** What a codec refuses before it has read all headers. */
function tooLarge({ maxRequestHeadersKb }: HttpConnectionManager, message: HttpMessage): Prepared | undefined {
  const isLarge = headBytes(message) > (maxRequestHeadersKb ?? DEFAULT_HEADERS_KB) * 1024;
  return isLarge ? tooMuch(message, "the request's headers are too large") : undefined;
}

function tooMany({ commonHttpProtocolOptions }: HttpConnectionManager, message: HttpMessage): Prepared | undefined {
  // The host counts, in HTTP/2 each of the four pseudo-headers.
  const count = message.headers.length + (message.version === "http2" ? 4 : 1);
  return count > (commonHttpProtocolOptions?.maxHeadersCount ?? 100) ? tooMuch(message, "the request has too many headers") : undefined;
}

function tooMuch({ version }: HttpMessage, detail: string): Prepared {
  return version === "http2" ? { kind: "reset", detail } : { ...refuse(431, detail), body: "Request Header Fields Too Large" };
}

/** In the codec's order: the first line, then the headers as they come, then what they are together. */
function checkHeaders(manager: HttpConnectionManager, message: HttpMessage): HttpMessage | Prepared {
  if (message.version === "http1" && !isMethod(message.method)) return misread(message, `method ${message.method} is unknown`);
  if (!isTarget(message)) return misread(message, BAD_PATH);
  const large = tooLarge(manager, message);
  if (large !== undefined) return large;
  const action = manager.commonHttpProtocolOptions?.headersWithUnderscoresAction ?? Underscores.ALLOW;
  const underscored = message.headers.filter(([name]) => name.includes("_")).map(([name]) => name);
  if (underscored.length > 0 && action === Underscores.REJECT_REQUEST) {
    return misread(message, `header ${underscored[0]} has an underscore`);
  }
  const clean = action === Underscores.DROP_HEADER ? withoutHeaders(message, underscored) : message;
  return tooMany(manager, clean) ?? checkWhole(clean);
}

function checkWhole(message: HttpMessage): HttpMessage | Prepared {
  if (!AUTHORITY.test(message.authority)) return misread(message, "the host has a character that no host has");
  // Which of the two counts is what request smuggling lives on: Envoy's HTTP/1 codec takes no request with both.
  if (message.version === "http1" && FRAMING.every((name) => valuesOf(message, name).length > 0))
    return misread(message, "the request has two lengths: transfer-encoding and content-length");
  // A line that names none is a host like any other to HTTP/1.
  if (message.authority === "" && message.version === "http2") return misread(message, "the request names no host");
  return withoutNamed(message) ?? misread(message, "the connection header names what can't belong to a connection, or too much");
}

/** A client that waits for leave to go on with its body has it from the proxy itself. */
function withoutAnswered({ proxy100Continue }: HttpConnectionManager, message: HttpMessage): HttpMessage {
  const waits = !proxy100Continue && lowerAscii(valuesOf(message, "expect")[0] ?? "") === "100-continue";
  return waits ? withoutHeaders(message, ["expect"]) : message;
}

const BAD_PATH = "the path does not begin with a slash, or has a character that must be escaped";

/** The characters that HTTP/2's codec takes in a host (nghttp2); HTTP/1's takes the same. */
const AUTHORITY = /^[\w!$%&'()*+,\-.:;=@[\]~]*$/;

/** What the codec itself can't take: HTTP/1 is answered, a stream of HTTP/2 ends. */
function misread({ version }: HttpMessage, detail: string): Prepared {
  return version === "http2" ? { kind: "reset", detail } : { ...refuse(400, detail), body: "Bad Request" };
}

function refuse(status: number, detail: string): Extract<Prepared, { readonly kind: "answer" }> {
  return { kind: "answer", status, detail };
}

function preparePath(manager: HttpConnectionManager, message: HttpMessage): HttpMessage | Prepared {
  let path = message.path;
  if (message.method === "CONNECT") throw new Undecidable("CONNECT requests");
  if (!path.startsWith("/")) {
    const detail = "the path does not begin with a slash";
    const isServer = message.method === "OPTIONS" && (message.version === "http2" ? path === "*" : path.startsWith("*"));
    return isServer ? refuse(404, detail) : misread(message, detail);
  }
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
  "x-envoy-upstream-stream-duration-ms",
  "x-envoy-hedge-on-per-try-timeout",
  "x-envoy-internal",
];
const EDGE_HEADERS = ["x-envoy-downstream-service-cluster", "x-envoy-downstream-service-node"];

function withOwnHeaders(manager: HttpConnectionManager, connection: Accepted, client: Client): HttpMessage {
  const { isInternal } = client;
  const message = withoutHop(client.message);
  const edge = !isInternal && manager.useRemoteAddress === true;
  let own = isInternal
    ? withHeader(message, "x-envoy-internal", "true")
    : withoutHeaders(message, [...INTERNAL_HEADERS, ...(edge ? EDGE_HEADERS : [])]);
  const scheme = connection.tls === undefined ? "http" : "https";
  const claimed = valuesOf(own, "x-forwarded-proto");
  if (claimed.length === 0 || (edge && manager.xffNumTrustedHops === 0)) own = withHeader(own, "x-forwarded-proto", scheme);
  const said = lowerAscii(valuesOf(own, "x-forwarded-proto")[0] ?? "");
  // HTTP/2 says it itself.
  if (own.version === "http1") own = { ...own, scheme: said === "http" || said === "https" ? said : scheme };
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
  const wanted = upgradeOf(message);
  // The codec passes over `h2c`.
  if (wanted === undefined || wanted === "h2c") return true;
  return upgradeConfigs.some(({ upgradeType, enabled }) => upgradeType.toLowerCase() === wanted && enabled !== false);
}

/** `http://host/path` as a request's target is split by the codec. */
export function splitTarget(message: HttpMessage): HttpMessage {
  const match = /^https?:\/\/([^/?#]+)(.*)$/i.exec(message.path);
  if (match === null || message.version === "http2") return message;
  const rest = match[2] === "" || match[2] === undefined ? "/" : match[2];
  return { ...message, authority: match[1] ?? "", path: splitQuery(rest)[0] === "" ? `/${rest}` : rest };
}
