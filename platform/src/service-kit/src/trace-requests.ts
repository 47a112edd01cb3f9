import type { Span } from "@opentelemetry/api";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { traceIdOf } from "./forwarded-headers.ts";
import { endServerSpan, startServerSpan } from "./tracing.ts";

/** A span for every request but the probes'. */
export function addTracing(server: FastifyInstance): void {
  const spans = new WeakMap<FastifyRequest, Span>();
  server.addHook("onRequest", async (request, reply) => {
    const route = request.routeOptions.url ?? "none";
    if (route.startsWith("/health/") || route === "/metrics") return;
    const known = traceIdOf(request.headers);
    const attributes = { "http.request.method": request.method, "http.route": route };
    spans.set(request, startServerSpan(`${request.method} ${route}`, request.headers, attributes));
    const traceId = traceIdOf(request.headers);
    if (traceId !== known) request.log = reply.log = request.log.child({ traceId });
  });
  server.addHook("onResponse", async (request, reply) => {
    const span = spans.get(request);
    if (span !== undefined) endServerSpan(span, { "http.response.status_code": reply.statusCode }, reply.statusCode >= 500);
  });
}
