import type { IncomingHttpHeaders } from "node:http";

/** How long a call on behalf of a request may take: what the proxy says is left of the request's own time, and at most `limitMs`. */
export function remainingMs(headers: IncomingHttpHeaders, limitMs: number): number {
  const given = headers["x-envoy-expected-rq-timeout-ms"];
  const left = typeof given === "string" && /^\d{1,9}$/.test(given) ? Number(given) : 0;
  return left > 0 ? Math.min(left, limitMs) : limitMs;
}
