import { propagation, trace } from "@opentelemetry/api";
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { B3Propagator } from "@opentelemetry/propagator-b3";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";

export interface TracingOptions {
  /** Of an OTLP/HTTP collector, without `/v1/traces`. */
  readonly endpoint: string;
  readonly service: string;
  readonly version: string;
}

/** Sends spans to a collector from now on. Loaded only where one is configured. The result sends what is left, and ends it. */
export function startSdk({ endpoint, service, version }: TracingOptions): () => Promise<void> {
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": service, "service.version": version }),
    spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, "")}/v1/traces` }) })],
  });
  trace.setGlobalTracerProvider(provider);
  // The last one that finds something wins when a request is read: W3C before B3.
  propagation.setGlobalPropagator(
    new CompositePropagator({ propagators: [new B3Propagator(), new W3CTraceContextPropagator(), new W3CBaggagePropagator()] }),
  );
  return () => provider.shutdown();
}
