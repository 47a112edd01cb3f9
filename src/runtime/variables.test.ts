import { describe, expect, test } from "vitest";
import { expandVariables } from "./variables.ts";

describe("expandVariables", () => {
  test.each([
    { text: "${A}/x", expected: "1/x" },
    { text: "${B:-2}", expected: "2" },
    { text: "${A:-2}", expected: "1" },
    { text: "${B}", expected: "" },
    { text: "$(kumiko token create alice)", expected: "$(kumiko token create alice)" },
    { text: "$A", expected: "$A" },
  ])("$text is $expected", ({ text, expected }) => {
    expect(expandVariables(text, { A: "1" })).toBe(expected);
  });
});
