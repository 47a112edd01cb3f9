import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { toYaml } from "./document.ts";
import { decisionsOf, readCases } from "./evaluator.ts";
import { Histogram } from "./histogram.ts";
import { cases } from "./mesh.ts";
import { classOf, COMMON, RARER } from "./verdict-class.ts";

const SEED = 20_261_121;
const NOW_MS = Date.UTC(2026, 10, 21);

describe("generated meshes and requests", () => {
  const histogram = new Histogram();
  beforeAll(async () => {
    const generated = fc.sample(cases(20), { seed: SEED, numRuns: 100 });
    for (const read of await readCases(generated))
      for (const decision of await decisionsOf(read, NOW_MS)) histogram.add(classOf(decision, read.mesh));
  });

  test.each(COMMON)("one in fifty at least ends as: %s", (verdict) => {
    expect(histogram.shareOf(verdict), `\n${histogram}`).toBeGreaterThanOrEqual(0.02);
  });

  test.each(RARER)("one in 500 at least ends as: %s", (verdict) => {
    expect(histogram.shareOf(verdict), `\n${histogram}`).toBeGreaterThanOrEqual(0.002);
  });

  test("next to none can't be decided", () => {
    expect(histogram.shareOf("undecided"), `\n${histogram}`).toBeLessThanOrEqual(0.01);
  });
});

test("the same seed makes the same meshes, another one others", () => {
  const [first, again, other] = [7, 7, 8].map((seed) => fc.sample(cases(3), { seed, numRuns: 3 }).map((made) => toYaml(made, "made")));
  expect(again).toEqual(first);
  expect(other).not.toEqual(first);
});
