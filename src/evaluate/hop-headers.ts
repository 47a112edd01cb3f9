import { type HttpMessage, upgradeOf, valuesOf, withHeader, withoutHeaders } from "./http-message.ts";
import { lowerAscii } from "./string-match.ts";
import { Undecidable } from "./undecidable.ts";

/** What a `connection` may name, and what is then left as it is. */
const OF_ANY_CONNECTION = ["close", "connection", "http2-settings", "keep-alive", "upgrade"];
/** What can't be taken away by being named: it would hide where a request comes from, and whether it may come. */
const NEVER_NAMED = ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"];
const MAX_NAMES = 9;
const MAX_TE = 255;
/** Of an upgrade to HTTP/2, which Envoy's codec passes over. */
const UPGRADE_TO_HTTP2 = ["upgrade", "http2-settings"];

/**
 * Without the headers that `connection` names as its own, which Envoy's HTTP/1 codec takes away before anything else sees them; those of an upgrade stay.
 * Undefined where the codec refuses: too many names, or such as say whom a request comes from.
 * @throws Undecidable where the host is named.
 */
export function withoutNamed(message: HttpMessage): HttpMessage | undefined {
  if (message.version === "http2" || isUpgrade(message)) return message;
  const passedOver = upgradeOf(message) === undefined ? [] : UPGRADE_TO_HTTP2;
  const names = namesIn(valuesOf(message, "connection")).filter((name) => !passedOver.includes(name));
  if (names.length > MAX_NAMES || names.some((name) => NEVER_NAMED.includes(name) || name.startsWith(":"))) return undefined;
  if (names.includes("host")) throw new Undecidable("a host that belongs to its connection");
  const gone = names.filter((name) => name !== "te" && !OF_ANY_CONNECTION.includes(name));
  const rest = withoutHeaders(message, [...passedOver, ...gone]);
  return names.includes("te") ? withNamedTe(rest) : rest;
}

function namesIn(lines: readonly string[]): readonly string[] {
  const names = lines.flatMap((line) => line.split(","));
  return names.filter((name) => name !== "").map((name) => lowerAscii(name.trim()));
}

/** Here, and here alone, trailers may be written in capitals. */
function withNamedTe(message: HttpMessage): HttpMessage | undefined {
  const [te = ""] = valuesOf(message, "te");
  if (te.length > MAX_TE) return undefined;
  return namesIn([te]).includes("trailers") ? withHeader(message, "te", "trailers") : withoutHeaders(message, ["te"]);
}

/** An upgrade that Envoy's codec knows of, whether the manager lets it through or not. */
function isUpgrade(message: HttpMessage): boolean {
  return !["h2c", undefined].includes(upgradeOf(message));
}

/**
 * Without what belongs to one connection alone, and goes no further (RFC 9110, section 7.6.1). An upgrade takes its two headers and `te` along; else of
 * what a client takes by `te` trailers are left, which gRPC asks for.
 */
export function withoutHop(message: HttpMessage): HttpMessage {
  const own = withoutHeaders(message, ["keep-alive", "proxy-connection", "transfer-encoding"]);
  return isUpgrade(message) ? own : withTrailersOnly(withoutHeaders(own, ["connection", "upgrade"]));
}

/** Envoy takes the word as it is spelled here, and not with a weight; an empty line it leaves. */
function withTrailersOnly(message: HttpMessage): HttpMessage {
  const [te = ""] = valuesOf(message, "te");
  if (te === "" || te === "trailers") return message;
  const takesTrailers = te.split(",").some((coding) => coding.trim() === "trailers");
  return takesTrailers ? withHeader(message, "te", "trailers") : withoutHeaders(message, ["te"]);
}
