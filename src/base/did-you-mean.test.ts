import { describe, expect, test } from "vitest";
import { didYouMean } from "./did-you-mean.ts";

const KNOWN = ["hosts", "http", "timeout", "retries", "exportTo", "route", "redirect", "rewrite"];

describe("didYouMean", () => {
  test.each([
    ["host", "hosts"],
    ["timeuot", "timeout"],
    ["TIMEOUT", "timeout"],
    ["exportto", "exportTo"],
    ["retrys", "retries"],
    ["routes", "route"],
    ["htpt", "http"],
  ])("%s is %s", (typed, meant) => {
    expect(didYouMean(typed, KNOWN)).toBe(meant);
  });

  test.each(["zzz", "", "somethingElse", "x".repeat(10_000)])("nothing is near %.20s", (typed) => {
    expect(didYouMean(typed, KNOWN)).toBeUndefined();
  });
});
