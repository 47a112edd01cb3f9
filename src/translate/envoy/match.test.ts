import { expect, test } from "vitest";
import type { StringMatch } from "../../ir/match.ts";
import { toStringMatcher } from "./match.ts";

test.each<{ readonly given: StringMatch; readonly becomes: readonly [string, unknown] }>([
  { given: { kind: "prefix", value: "" }, becomes: ["safeRegex", ".*"] },
  { given: { kind: "suffix", value: "" }, becomes: ["safeRegex", ".*"] },
  { given: { kind: "regex", value: "" }, becomes: ["exact", ""] },
  { given: { kind: "exact", value: "" }, becomes: ["exact", ""] },
  { given: { kind: "prefix", value: "a" }, becomes: ["prefix", "a"] },
])("a text that Envoy would refuse as empty has an equal: $given.kind '$given.value'", ({ given, becomes }) => {
  const { matchPattern: made } = toStringMatcher(given);
  expect([made.case, made.case === "safeRegex" ? made.value.regex : made.value]).toEqual(becomes);
});
