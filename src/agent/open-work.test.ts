import { expect, test } from "vitest";
import { parseOpenWork } from "./open-work.ts";

const page = (...lines: string[]) => `${lines.join("\n")}\n`;

test.each([
  ["nothing", "", { requests: 0, connections: 0 }],
  [
    "a connection that waits for its next request",
    page("http.inbound.downstream_cx_active: 1", "http.inbound.downstream_rq_active: 0", "listener.0.0.0.0_15006.downstream_cx_active: 1"),
    { requests: 0, connections: 1 },
  ],
  [
    "three requests of one connection",
    page("http.inbound.downstream_cx_active: 1", "http.inbound.downstream_rq_active: 3", "listener.0.0.0.0_15006.downstream_cx_active: 1"),
    { requests: 3, connections: 1 },
  ],
  ["two connections that are no HTTP", page("listener.0.0.0.0_15006.downstream_cx_active: 2"), { requests: 2, connections: 2 }],
  [
    "each worker's share, once",
    page("listener.0.0.0.0_15006.downstream_cx_active: 2", "listener.0.0.0.0_15006.worker_0.downstream_cx_active: 2"),
    { requests: 2, connections: 2 },
  ],
  [
    "the question itself",
    page(
      "http.admin.downstream_cx_active: 1",
      "http.admin.downstream_rq_active: 1",
      "listener.admin.downstream_cx_active: 1",
      "listener.admin.main_thread.downstream_cx_active: 1",
    ),
    { requests: 0, connections: 0 },
  ],
])("what is open is read from Envoy's gauges: %s", (_, text, expected) => {
  expect(parseOpenWork(text)).toEqual(expected);
});
