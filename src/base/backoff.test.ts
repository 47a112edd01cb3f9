import { expect, test } from "vitest";
import { nextBackoff } from "./backoff.ts";

const TO_A_MINUTE = { firstMs: 1000, longestMs: 60_000, steadyMs: 60_000 };

test("waits between starts double up to the longest, and begin anew after a steady run", () => {
  const waits = Array.from({ length: 8 }).reduce<number[]>((all) => [...all, nextBackoff(all.at(-1) ?? 0, 10, TO_A_MINUTE)], []);
  expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  expect(nextBackoff(60_000, 61_000, TO_A_MINUTE)).toBe(1000);
});

test("under a shorter longest wait one that has grown is cut to it", () => {
  expect(nextBackoff(10_000, 10, { ...TO_A_MINUTE, longestMs: 2000 })).toBe(2000);
});
