import { AsyncLocalStorage } from "node:async_hooks";
import type { IncomingHttpHeaders } from "node:http";
import type { FastifyInstance } from "fastify";

const scope = new AsyncLocalStorage<IncomingHttpHeaders>();

/** Lets what a request causes, however deep, find the trace that it belongs to. */
export function addRequestScope(server: FastifyInstance): void {
  server.addHook("onRequest", (request, _, done) => scope.run(request.headers, done));
}

export function inRequestScope<Result>(headers: IncomingHttpHeaders, work: () => Promise<Result>): Promise<Result> {
  return scope.run(headers, work);
}

/** The W3C trace context of the request that is being handled, for what leaves by another way than a call: an event. */
export function currentTraceparent(): string | undefined {
  const value = scope.getStore()?.["traceparent"];
  return typeof value === "string" && /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(value) ? value : undefined;
}
