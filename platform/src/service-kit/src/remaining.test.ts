import { expect, test } from "vitest";
import { remainingMs } from "./remaining.ts";

test.each([
  { title: "what the proxy says", given: "1500", expected: 1_500 },
  { title: "no more than the limit", given: "60000", expected: 8_000 },
  { title: "the limit where the proxy says nothing", given: undefined, expected: 8_000 },
  { title: "the limit where the request has no end", given: "0", expected: 8_000 },
  { title: "the limit for what is no number", given: "-5", expected: 8_000 },
])("a call may take $title", ({ given, expected }) => {
  expect(remainingMs({ "x-envoy-expected-rq-timeout-ms": given }, 8_000)).toBe(expected);
});
