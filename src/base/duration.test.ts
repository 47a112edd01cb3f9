import { describe, expect, test } from "vitest";
import { formatDuration, parseDuration } from "./duration.ts";

describe("parseDuration", () => {
  test.each([
    ["5s", 5000],
    ["0s", 0],
    ["0", 0],
    ["1h30m", 5_400_000],
    ["100ms", 100],
    ["0.25s", 250],
    [".5s", 500],
    ["1.s", 1000],
    ["+2s", 2000],
    ["1500us", 1.5],
    ["1m0.5s", 60_500],
    ["720h", 2_592_000_000],
  ])("reads %s as %d ms", (text, expected) => {
    expect(parseDuration(text)).toBeCloseTo(expected, 6);
  });

  test.each(["", "5", "5x", "s", "-5s", "5 s", "5s ", "1e3s", "5s5", "..5s", "1d", "5S", "٥s", "9".repeat(100)])("refuses %j", (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });
});

test("formatDuration writes seconds, which parseDuration reads back", () => {
  expect(formatDuration(1500)).toBe("1.5s");
  expect(parseDuration(formatDuration(250))).toBe(250);
});
