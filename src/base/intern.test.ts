import { expect, test } from "vitest";
import { Interner } from "./intern.ts";

test("equal texts have one object while somebody holds it, other texts another", () => {
  const interner = new Interner<{ readonly text: string }>();
  const one = interner.get("a", () => ({ text: "a" }));
  expect(interner.get("a", () => ({ text: "never made" }))).toBe(one);
  expect(interner.get("b", () => ({ text: "b" }))).not.toBe(one);
});
