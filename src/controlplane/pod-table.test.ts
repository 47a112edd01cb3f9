import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import type { ObservedPod } from "../runtime/index.ts";
import { PodTable } from "./pod-table.ts";

const pod = (ready: boolean, restarts = 0): ObservedPod => ({
  namespace: "shop",
  name: "users",
  workload: "Deployment/shop/users",
  address: "10.244.0.11",
  phase: "Running",
  ready,
  message: "",
  restarts,
  terminating: false,
});

test.each([3, 30, 300])(
  "waiting through %i changes leaves nothing behind on the signal, and resolves when all are ready",
  async (times) => {
    const table = new PodTable();
    const end = new AbortController();
    const settled = table.settled(1_000_000, end.signal);
    for (let change = 0; change < times; change++) {
      table.set([pod(false, change)]);
      await new Promise((resolve) => setImmediate(resolve));
      expect(getEventListeners(end.signal, "abort").length).toBeLessThanOrEqual(2);
    }
    expect(table.isSettled).toBe(false);
    table.set([pod(true)]);
    expect(await settled).toEqual([]);
  },
);

test("waiting ends with the signal, with those that are not ready", async () => {
  const table = new PodTable();
  const end = new AbortController();
  const settled = table.settled(1_000_000, end.signal);
  table.set([pod(false)]);
  end.abort();
  expect(await settled).toEqual([pod(false)]);
});
