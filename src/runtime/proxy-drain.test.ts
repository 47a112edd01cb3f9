import { describe, expect, test } from "vitest";
import { type DrainState, planDrain, waitUntilDrained } from "./proxy-drain.ts";

const gateway: DrainState = { isGateway: true, withMesh: false, drainedMs: 1000, leftMs: 30_000 };
const sidecar: DrainState = { ...gateway, isGateway: false };
const all = { withMesh: true };

describe("how long a proxy goes on", () => {
  test.each([
    ["a gateway: what is left of its drain", { drainMs: 5000 }, gateway, { until: "connections", atLeastMs: 0, atMostMs: 4000 }],
    ["a gateway that has drained", { drainMs: 500 }, gateway, { until: "connections", atLeastMs: 0, atMostMs: 0 }],
    ["never beyond the grace period", { drainMs: 60_000 }, gateway, { until: "connections", atLeastMs: 0, atMostMs: 30_000 }],
    ["a sidecar, from its application's end", { drainMs: 5000 }, sidecar, { until: "requests", atLeastMs: 0, atMostMs: 5000 }],
    [
      "a sidecar whose application took all the grace period",
      { drainMs: 5000 },
      { ...sidecar, leftMs: 0 },
      { until: "requests", atLeastMs: 0, atMostMs: 0 },
    ],
    [
      "until zero connections",
      { drainMs: 5000, untilZero: { atLeastMs: 3000 } },
      sidecar,
      { until: "connections", atLeastMs: 2000, atMostMs: 30_000 },
    ],
    ["a gateway, when all stops", { drainMs: 5000 }, { ...gateway, ...all }, { until: "requests", atLeastMs: 0, atMostMs: 5000 }],
    [
      "until zero, when all stops: idle connections hold up nobody",
      { drainMs: 5000, untilZero: { atLeastMs: 3000 } },
      { ...gateway, ...all },
      { until: "requests", atLeastMs: 0, atMostMs: 30_000 },
    ],
  ])("%s", (_, termination, state, plan) => {
    expect(planDrain(termination, state)).toEqual(plan);
  });
});

describe("waiting for a proxy", () => {
  const plan = { until: "connections", atLeastMs: 0, atMostMs: 1_000_000 } as const;

  test("goes on until what the plan names is zero", async () => {
    const open = [
      { requests: 0, connections: 2 },
      { requests: 0, connections: 1 },
      { requests: 0, connections: 0 },
    ];
    await waitUntilDrained(plan, async () => open.shift() ?? { requests: 9, connections: 9 });
    expect(open).toEqual([]);
  });

  test("is given up where nothing answers any more, and not for one answer that didn't come", async () => {
    let asked = 0;
    await waitUntilDrained(plan, async () => {
      asked += 1;
      if (asked === 3) return { requests: 0, connections: 1 };
      throw new Error("no answer");
    });
    expect(asked).toBe(8);
  });

  test("takes no look where there is no time", async () => {
    let asked = 0;
    await waitUntilDrained({ ...plan, atMostMs: 0 }, async () => ((asked += 1), { requests: 1, connections: 1 }));
    expect(asked).toBe(0);
  });
});
