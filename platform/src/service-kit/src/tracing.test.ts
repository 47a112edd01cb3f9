import { context, propagation, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { CompositePropagator, W3CTraceContextPropagator } from "@opentelemetry/core";
import { B3Propagator } from "@opentelemetry/propagator-b3";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { callService } from "./call-service.ts";
import { forwardedHeaders } from "./forwarded-headers.ts";
import { createServer } from "./server.ts";
import { startTracing } from "./tracing.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const traceparent = `00-${TRACE}-00f067aa0ba902b7-01`;

afterEach(() => {
  trace.disable();
  propagation.disable();
  context.disable();
});

/** Two services, the first of which calls the second; returns what the second one got. */
async function callThrough(headers: Record<string, string>): Promise<{ got: Record<string, unknown>; lines: string }> {
  const got: Record<string, unknown> = {};
  const lines: string[] = [];
  const second = createHttpServer((request, response) => {
    Object.assign(got, request.headers);
    response.end("{}");
  }).listen(0, "127.0.0.1");
  await once(second, "listening");
  const origin = `http://127.0.0.1:${(second.address() as AddressInfo).port}`;
  const first = createServer({ name: "first", version: "v1", logLevel: "info", logTo: { write: (line) => lines.push(line) } });
  first.get(
    "/x/:id",
    async (request) => await callService({ origin, path: "/y", method: "GET", headers: forwardedHeaders(request.headers) }),
  );
  await first.inject({ url: "/x/1", headers });
  second.close();
  return { got, lines: lines.join("") };
}

describe("trace headers", () => {
  test.each([
    { title: "W3C", headers: { traceparent, tracestate: "a=b" } },
    { title: "B3 in one header", headers: { b3: `${TRACE}-00f067aa0ba902b7-1` } },
    { title: "B3 in several", headers: { "x-b3-traceid": TRACE, "x-b3-spanid": "00f067aa0ba902b7", "x-b3-sampled": "1" } },
  ])("of $title pass as they came where no collector is configured", async ({ headers }) => {
    const stop = await startTracing({ endpoint: undefined, service: "first", version: "v1" });
    expect((await callThrough(headers)).got).toMatchObject(headers);
    await stop();
  });

  test.each([
    { title: "W3C", headers: { traceparent } },
    { title: "B3", headers: { "x-b3-traceid": TRACE, "x-b3-spanid": "00f067aa0ba902b7", "x-b3-sampled": "1" } },
  ])("of $title become those of this service's own spans where one is", async ({ headers }) => {
    const exporter = new InMemorySpanExporter();
    trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }));
    propagation.setGlobalPropagator(new CompositePropagator({ propagators: [new B3Propagator(), new W3CTraceContextPropagator()] }));
    const { got } = await callThrough(headers);
    const [client, server] = exporter.getFinishedSpans();
    expect([server?.name, server?.parentSpanContext?.spanId]).toEqual(["GET /x/:id", "00f067aa0ba902b7"]);
    expect(client?.parentSpanContext?.spanId).toBe(server?.spanContext().spanId);
    expect(got["traceparent"]).toBe(`00-${TRACE}-${client?.spanContext().spanId}-01`);
    expect(got["b3"]).toBe(`${TRACE}-${client?.spanContext().spanId}-1`);
    expect(got).not.toHaveProperty("x-b3-spanid");
  });

  test("begin where a request comes without any, and its log lines name them", async () => {
    trace.setGlobalTracerProvider(new TracerProvider());
    propagation.setGlobalPropagator(new W3CTraceContextPropagator());
    const { got, lines } = await callThrough({});
    const traceId = String(got["traceparent"]).split("-")[1];
    expect(lines).toContain(`"traceId":"${traceId}"`);
  });
});

test("a configured collector gets the spans, with the service's name", async () => {
  const bodies: string[] = [];
  const collector = createHttpServer((request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    request.on("end", () => {
      bodies.push(`${request.url} ${text}`);
      response.end("{}");
    });
  }).listen(0, "127.0.0.1");
  await once(collector, "listening");
  const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  const stop = await startTracing({ endpoint, service: "first", version: "v7" });
  expect(propagation.extract(ROOT_CONTEXT, { traceparent })).not.toBe(ROOT_CONTEXT);
  await callThrough({ traceparent, authorization: "Bearer secret-token" });
  await stop();
  collector.close();
  expect(bodies.join()).toContain("/v1/traces");
  for (const text of [TRACE, "GET /x/:id", "first", "v7"]) expect(bodies.join()).toContain(text);
  expect(bodies.join()).not.toContain("secret-token");
});
