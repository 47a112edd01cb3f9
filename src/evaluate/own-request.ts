import { type HttpMessage, withHeader } from "./http-message.ts";

/** What Envoy puts on a request that it makes itself, a copy or a check: that it does (AsyncStreamImpl), and how long it waits. `timeoutMs` 0: for ever. */
export function asOwnRequest(message: HttpMessage, timeoutMs: number): HttpMessage {
  const marked = withHeader(message, "x-envoy-internal", "true");
  return timeoutMs === 0 ? marked : withHeader(marked, "x-envoy-expected-rq-timeout-ms", String(timeoutMs));
}
