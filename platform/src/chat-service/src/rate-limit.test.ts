import { expect, test } from "vitest";
import { RateLimit } from "./rate-limit.ts";

test("lets a burst pass, and then what comes back with time", () => {
  let now = 0;
  const limit = new RateLimit(10, 3, () => now);
  const take = (times: number) => Array.from({ length: times }, () => limit.take());
  expect(take(4)).toEqual([true, true, true, false]);
  now = 200;
  expect(take(3)).toEqual([true, true, false]);
  now = 100_000;
  expect(take(4)).toEqual([true, true, true, false]);
});
