import { expect, test } from "vitest";
import { runOpenLoop } from "./open-loop.ts";
import type { Step } from "./plan.ts";

const steps = (count: number): Step[] => Array.from({ length: count }, (_, index) => ({ index, atMs: index, kind: "page" }));

test("a step begins when it is due, though the one before has no end yet", async () => {
  const begun: number[] = [];
  const gate = Promise.withResolvers<void>();
  await runOpenLoop(steps(3), {
    maxInFlight: 10,
    leftOut: () => expect.unreachable(),
    begin: async ({ index }, dueMs) => {
      expect(performance.now()).toBeGreaterThan(dueMs - 2);
      begun.push(index);
      if (begun.length === 3) gate.resolve();
      await gate.promise;
    },
  });
  expect(begun).toEqual([0, 1, 2]);
});

test("where too many are in flight, steps are left out and said so", async () => {
  const leftOut: number[] = [];
  const gate = Promise.withResolvers<void>();
  await runOpenLoop(steps(5), {
    maxInFlight: 2,
    begin: () => gate.promise,
    leftOut: ({ index }) => {
      leftOut.push(index);
      if (index === 4) gate.resolve();
    },
  });
  expect(leftOut).toEqual([2, 3, 4]);
});

test("told to stop, it begins nothing more and waits for what runs", async () => {
  const stop = new AbortController();
  let ended = 0;
  await runOpenLoop(steps(1_000), {
    maxInFlight: 10,
    signal: stop.signal,
    leftOut: () => expect.unreachable(),
    begin: async ({ index }) => {
      if (index === 3) stop.abort();
      await new Promise(setImmediate);
      ended++;
    },
  });
  expect(ended).toBe(4);
});
