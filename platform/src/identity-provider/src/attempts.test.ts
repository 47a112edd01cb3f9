import { expect, test } from "vitest";
import { createAttempts } from "./attempts.ts";

test("five guesses are free, then one in half a minute; the right password forgets them; others are not held up", () => {
  let now = 0;
  const attempts = createAttempts(() => now);
  for (let count = 0; count < 5; count++) {
    expect(attempts.mustWait("dave")).toBe(false);
    attempts.failed("dave");
  }
  expect([attempts.mustWait("dave"), attempts.mustWait("erin")]).toEqual([true, false]);
  now += 30_000;
  expect(attempts.mustWait("dave")).toBe(false);
  attempts.failed("dave");
  expect(attempts.mustWait("dave")).toBe(true);
  now += 30_000;
  attempts.succeeded("dave");
  attempts.failed("dave");
  expect(attempts.mustWait("dave")).toBe(false);
});
