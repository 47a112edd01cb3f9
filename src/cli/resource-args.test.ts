import { describe, expect, test } from "vitest";
import { readResourceArgs } from "./resource-args.ts";

describe("readResourceArgs", () => {
  test.each([
    { args: ["pods"], expected: [["Pod", []]] },
    { args: ["po"], expected: [["Pod", []]] },
    { args: ["Pod"], expected: [["Pod", []]] },
    {
      args: ["vs,dr"],
      expected: [
        ["VirtualService", []],
        ["DestinationRule", []],
      ],
    },
    { args: ["vs", "reviews", "cart"], expected: [["VirtualService", ["reviews", "cart"]]] },
    {
      args: ["vs/reviews", "pod/a", "vs/cart"],
      expected: [
        ["VirtualService", ["reviews", "cart"]],
        ["Pod", ["a"]],
      ],
    },
    { args: ["virtualservices.networking.istio.io", "reviews"], expected: [["VirtualService", ["reviews"]]] },
    { args: ["virtualservices.v1.networking.istio.io/reviews"], expected: [["VirtualService", ["reviews"]]] },
  ])("reads $args", ({ args, expected }) => {
    expect(readResourceArgs(args).map(({ kind, names }) => [kind.kind, names])).toEqual(expected);
  });

  test.each([
    { args: ["podz"], message: 'there is no kind "podz" (did you mean "pods"?)' },
    { args: ["vs", "pod/a"], message: '"pod/a" names a kind' },
    { args: ["pod/"], message: "TYPE/NAME" },
    { args: ["pod/a/b"], message: "TYPE/NAME" },
    { args: ["/a"], message: "TYPE/NAME" },
    { args: [","], message: "no kind is named" },
    { args: ["qqqqqqqq"], message: 'there is no kind "qqqqqqqq"' },
  ])("refuses $args", ({ args, message }) => {
    expect(() => readResourceArgs(args)).toThrow(message);
  });
});
