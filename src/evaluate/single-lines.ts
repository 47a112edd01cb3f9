import { type HttpMessage, valuesOf, withHeader, withoutHeaders } from "./http-message.ts";

/** HTTP/2 may send each cookie in a line of its own; the codec puts them together, and leaves out what is empty then. */
export function withOneCookie(message: HttpMessage): HttpMessage {
  const cookies = message.version === "http2" ? valuesOf(message, "cookie") : [];
  if (cookies.length === 0) return message;
  const whole = cookies.reduce((all, next) => (all === "" ? next : `${all}; ${next}`));
  return whole === "" ? withoutHeaders(message, ["cookie"]) : withHeader(message, "cookie", whole);
}

/** Of these Envoy keeps one line, whatever came: the values joined by commas. They count once against the limits of headers, too. */
const SINGLE_LINES = [
  "accept",
  "accept-encoding",
  "access-control-request-headers",
  "access-control-request-method",
  "access-control-request-private-network",
  "authorization",
  "cache-control",
  "cdn-loop",
  "content-encoding",
  "content-type",
  "expect",
  "grpc-accept-encoding",
  "grpc-timeout",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "origin",
  "pragma",
  "proxy-status",
  "referer",
  "te",
  "user-agent",
  "via",
  "x-client-trace-id",
  "x-envoy-decorator-operation",
  "x-envoy-downstream-service-cluster",
  "x-envoy-downstream-service-node",
  "x-envoy-external-address",
  "x-envoy-is-timeout-retry",
  "x-envoy-original-host",
  "x-envoy-original-path",
  "x-forwarded-client-cert",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-proto",
  "x-request-id",
];

export function withSingleLines(message: HttpMessage): HttpMessage {
  const twice = SINGLE_LINES.filter((name) => valuesOf(message, name).length > 1);
  return twice.reduce((given, name) => withHeader(given, name, valuesOf(given, name).join(",")), message);
}
