import { expect, test } from "vitest";
import { addPoolMetrics, addProcessMetrics } from "./metrics.ts";
import type { Pool } from "./postgres.ts";
import { createServer } from "./server.ts";

test("requests are counted by method, route and status, and no path makes a series of its own", async () => {
  const server = createServer({ name: "test", version: "v1", logLevel: "silent" });
  server.get("/x/:id", async () => ({}));
  for (const url of ["/x/1", "/x/2", "/nowhere/1", "/nowhere/2"]) await server.inject(url);
  const answer = await server.inject("/metrics");
  expect(answer.headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
  const counts = answer.body.split("\n").filter((line) => line.startsWith("http_server_request_duration_seconds_count"));
  expect(counts).toEqual([
    'http_server_request_duration_seconds_count{method="GET",route="/x/:id",status="200"} 2',
    'http_server_request_duration_seconds_count{method="GET",route="none",status="404"} 2',
  ]);
});

test("the process and its pools are shown", async () => {
  const server = createServer({ name: "test", version: "v1", logLevel: "silent" });
  addProcessMetrics(server);
  const pool = { totalCount: 3, idleCount: 1, waitingCount: 4 } as Pool;
  addPoolMetrics(server.metrics, { writer: pool, reader: pool });
  const { body } = await server.inject("/metrics");
  expect(body).toContain("process_resident_memory_bytes ");
  expect(body).toContain('database_pool_connections{pool="writer",state="busy"} 2');
  expect(body).toContain('database_pool_connections{pool="writer",state="waiting"} 4');
  expect(body).not.toContain('pool="reader"');
});
