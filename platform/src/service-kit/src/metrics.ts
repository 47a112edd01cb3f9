import type { FastifyInstance } from "fastify";
import { collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Database } from "./postgres.ts";

declare module "fastify" {
  interface FastifyInstance {
    /** What `/metrics` shows; a service adds its own to it. */
    readonly metrics: Registry;
  }
}

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Counts and times requests by method, route and status, and shows all metrics at `/metrics` in Prometheus' text format. */
export function addMetrics(server: FastifyInstance): void {
  const registry = new Registry();
  const duration = new Histogram({
    name: "http_server_request_duration_seconds",
    help: "Time from a request's head to the end of its answer",
    labelNames: ["method", "route", "status"],
    buckets: SECONDS,
    registers: [registry],
  });
  server.decorate("metrics", registry);
  server.addHook("onResponse", async (request, reply) => {
    // The route's pattern, never the path: an id would make a series of its own.
    const labels = { method: request.method, route: request.routeOptions.url ?? "none", status: reply.statusCode };
    duration.observe(labels, reply.elapsedTime / 1_000);
  });
  server.get("/metrics", { logLevel: "warn" }, async (_, reply) => {
    reply.type(registry.contentType);
    return await registry.metrics();
  });
}

/** Memory, CPU, event loop and garbage collection of this process. Once a process. */
export function addProcessMetrics(server: FastifyInstance): void {
  collectDefaultMetrics({ register: server.metrics });
}

/** How many connections the pools have, by what they do, and how many requests wait for one. */
export function addPoolMetrics(registry: Registry, { writer, reader }: Pick<Database, "writer" | "reader">): void {
  const pools = reader === writer ? { writer } : { writer, reader };
  new Gauge({
    name: "database_pool_connections",
    help: "Connections of the pool by state; waiting: requests without a connection",
    labelNames: ["pool", "state"],
    registers: [registry],
    collect() {
      for (const [pool, { totalCount, idleCount, waitingCount }] of Object.entries(pools)) {
        this.set({ pool, state: "busy" }, totalCount - idleCount);
        this.set({ pool, state: "idle" }, idleCount);
        this.set({ pool, state: "waiting" }, waitingCount);
      }
    },
  });
}
