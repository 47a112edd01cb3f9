import { expect, test } from "vitest";
import { callersFirst } from "./mesh-stop.ts";

test.each([
  ["nobody calls", {}, [["a", "b", "c"]]],
  ["a chain", { a: "b", b: "c" }, [["a"], ["b"], ["c"]]],
  ["one that several call", { a: "c", b: "c" }, [["a", "b"], ["c"]]],
  ["one that calls several, and they each other one way", { a: "bc", b: "c" }, [["a"], ["b"], ["c"]]],
  ["one that calls itself", { a: "ab" }, [["a", "c"], ["b"]]],
  ["a circle with a caller", { a: "b", b: "c", c: "b" }, [["a"], ["b", "c"]]],
  ["a circle", { a: "b", b: "c", c: "a" }, [["a", "b", "c"]]],
])("callers come before those whom they call: %s", (_, calls, layers) => {
  const sets = new Map(Object.entries(calls).map(([caller, called]) => [caller, new Set(called)]));
  expect(callersFirst(["a", "b", "c"], sets)).toEqual(layers);
});
