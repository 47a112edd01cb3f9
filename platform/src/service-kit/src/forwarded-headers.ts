import type { IncomingHttpHeaders } from "node:http";

/** The token, and what ties the spans of one trace together: W3C trace context, B3 in both forms, Envoy's request id. */
const FORWARDED = [
  "authorization",
  "traceparent",
  "tracestate",
  "baggage",
  "b3",
  "x-b3-traceid",
  "x-b3-spanid",
  "x-b3-parentspanid",
  "x-b3-sampled",
  "x-b3-flags",
  "x-request-id",
] as const;

/** The headers of an incoming request that the calls made on its behalf carry too. */
export function forwardedHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const forwarded: Record<string, string> = {};
  for (const name of FORWARDED) {
    const value = headers[name];
    if (typeof value === "string") forwarded[name] = value;
  }
  return forwarded;
}

/** The trace id of a W3C or B3 header, for the log. */
export function traceIdOf(headers: IncomingHttpHeaders): string | undefined {
  const w3c = headers["traceparent"];
  const b3 = headers["b3"] ?? headers["x-b3-traceid"];
  const candidate = typeof w3c === "string" ? w3c.split("-")[1] : typeof b3 === "string" ? b3.split("-")[0] : undefined;
  return candidate !== undefined && /^(?:[0-9a-f]{16}|[0-9a-f]{32})$/.test(candidate) ? candidate : undefined;
}
