import { type HttpMessage, upgradeOf, valuesOf, withHeader, withoutHeaders } from "./http-message.ts";

/**
 * Without what belongs to one connection alone, and goes no further (RFC 9110, section 7.6.1). An upgrade takes its two headers and `te` along; else of
 * what a client takes by `te` trailers are left, which gRPC asks for.
 */
export function withoutHop(message: HttpMessage): HttpMessage {
  const own = withoutHeaders(message, ["keep-alive", "proxy-connection", "transfer-encoding"]);
  const isUpgrade = !["h2c", undefined].includes(upgradeOf(message));
  return isUpgrade ? own : withTrailersOnly(withoutHeaders(own, ["connection", "upgrade"]));
}

/** Envoy takes the word as it is spelled here, and not with a weight; an empty line it leaves. */
function withTrailersOnly(message: HttpMessage): HttpMessage {
  const [te = ""] = valuesOf(message, "te");
  if (te === "" || te === "trailers") return message;
  const takesTrailers = te.split(",").some((coding) => coding.trim() === "trailers");
  return takesTrailers ? withHeader(message, "te", "trailers") : withoutHeaders(message, ["te"]);
}
