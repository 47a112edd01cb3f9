import type { IncomingHttpHeaders } from "node:http";
import { context, propagation, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";

// Without a started SDK (tracing-sdk.ts) every call here does nothing, and headers pass as they came.
const tracer = () => trace.getTracer("@platform/service-kit");

const STALE = ["b3", "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled", "x-b3-flags"] as const;

/** Where spans go and whose they are; without an endpoint none are made. */
export interface TracingSettings {
  readonly endpoint: string | undefined;
  readonly service: string;
  readonly version: string;
}

/** Starts OpenTelemetry where a collector is configured. The result sends what is left; call it last. */
export async function startTracing({ endpoint, service, version }: TracingSettings): Promise<() => Promise<void>> {
  if (endpoint === undefined) return async () => undefined;
  const { startSdk } = await import("./tracing-sdk.ts");
  return startSdk({ endpoint, service, version });
}

/**
 * Begins the span of a request that came in. Where it is recorded, its own context takes the place of the caller's in `headers`, so that
 * the calls that carry these headers on are its children.
 */
export function startServerSpan(name: string, headers: IncomingHttpHeaders, attributes: Readonly<Record<string, string>>): Span {
  const parent = propagation.extract(ROOT_CONTEXT, headers);
  const span = tracer().startSpan(name, { kind: SpanKind.SERVER, attributes }, parent);
  if (span.isRecording()) replaceTrace(headers, span);
  return span;
}

/** Runs a call to another service as a span, with headers that carry its context. */
export async function withClientSpan<Result>(
  name: string,
  headers: Readonly<Record<string, string>>,
  call: (headers: Readonly<Record<string, string>>) => Promise<Result>,
): Promise<Result> {
  const span = tracer().startSpan(name, { kind: SpanKind.CLIENT }, propagation.extract(ROOT_CONTEXT, headers));
  const carried: Record<string, string> = { ...headers };
  if (span.isRecording()) replaceTrace(carried, span);
  try {
    return await context.with(trace.setSpan(ROOT_CONTEXT, span), () => call(carried));
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

/** Ends a server's span with what was answered. */
export function endServerSpan(span: Span, attributes: Readonly<Record<string, string | number>>, failed: boolean): void {
  span.setAttributes(attributes);
  if (failed) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}

function replaceTrace(headers: IncomingHttpHeaders | Record<string, string>, span: Span): void {
  for (const name of STALE) delete headers[name];
  propagation.inject(trace.setSpan(ROOT_CONTEXT, span), headers);
}
