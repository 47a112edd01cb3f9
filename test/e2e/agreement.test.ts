import { afterAll, beforeAll, expect, test } from "vitest";
import type { Lab } from "../../src/meshtest/real/lab.ts";
import { FuzzLab } from "../fuzz/fuzz-lab.ts";
import { type RunResult, runFuzz } from "../fuzz/run.ts";
import { startLab } from "../fuzz/start-lab.ts";

/** The fixed part of `make fuzz`: always the same meshes and requests. */
const SEED = 42_000;
const PAIRS = 300;

let lab: Lab;
let result: RunResult;

beforeAll(async () => {
  lab = await startLab(process.env);
  result = await runFuzz(await FuzzLab.open(lab), { seed: SEED, goesOn: (pairs) => pairs < PAIRS });
}, 600_000);
afterAll(() => lab.close());

test("evaluator and real Envoys agree on 300 generated requests", () => {
  expect(result.pairs).toBeGreaterThanOrEqual(PAIRS);
  expect(result.disagreements.map(({ seed, call, differences }) => ({ seed, call, differences }))).toEqual([]);
});

test("few calls are skipped, and few agree only when they are made again", () => {
  expect([...result.skips.values()].reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(PAIRS / 50);
  expect(result.unsteady.length, JSON.stringify(result.unsteady)).toBeLessThanOrEqual(PAIRS / 50);
});
