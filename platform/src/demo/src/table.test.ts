import { expect, test } from "vitest";
import { createAcknowledged } from "./acknowledged.ts";
import type { LoadResult } from "./load.ts";
import { checkedLines, toTable } from "./table.ts";
import { Tally } from "./tally.ts";

function resultOf(tally: Tally): LoadResult {
  return {
    flows: tally.results(),
    failures: tally.failures(),
    acknowledged: createAcknowledged(),
    reconnects: 1,
    elapsedMs: 2_000,
    ownCpuShare: 0.1234,
    lateMs: 3,
  };
}

test("a run is told of by flow: requests, failures, percentiles; what arrives by itself is no request", () => {
  const tally = new Tally();
  for (let ms = 1; ms <= 100; ms++) tally.succeeded("rooms", ms);
  tally.succeeded("message heard", 1);
  tally.failed("page", 10, { what: "GET /: 503 no healthy upstream", isClear: true });
  tally.failed("page", 20, { what: "GET /: 503 no healthy upstream", isClear: true });
  expect(toTable(resultOf(tally))).toBe(
    [
      "flow           requests  failed  p50 ms  p95 ms  p99 ms  max ms",
      "message heard         1       0     1.0     1.0     1.0     1.0",
      "page                  2       2    10.0    20.0    20.0    20.0",
      "rooms               100       0    50.0    95.0    99.0   100.0",
      "",
      "102 requests in 2.0 s (51/s), 2 failed, 1 WebSockets broke.",
      "The generator took 12 % of a core and began steps 3 ms late (p99).",
      "  2 x page: GET /: 503 no healthy upstream",
    ].join("\n"),
  );
});

test("what is not as it must be afterwards is named", () => {
  const counts = { messages: 2, uploads: 1, signUps: 0, events: 1 };
  expect(checkedLines({ ...counts, wrong: [] })).toBe(
    "All that was acknowledged is there, once: 2 messages, 1 uploads, 0 sign-ups, 1 events.",
  );
  expect(checkedLines({ ...counts, wrong: ['message "x": 0 times'] })).toContain('1 are not as they must be:\n  message "x": 0 times');
});
