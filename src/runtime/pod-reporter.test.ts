import { expect, test } from "vitest";
import type { PodDocument } from "./pod.ts";
import { PodReporter } from "./pod-reporter.ts";
import { until } from "../testing/until.ts";

test("a control plane that is away is asked again by one report at a time, however often the state changed meanwhile", async () => {
  let isAway = true;
  let state = 0;
  let asked = 0;
  const ended = new AbortController();
  const reports = {
    reportPod: async () => {
      asked += 1;
      if (isAway) throw new Error("away");
    },
    removePod: async () => {},
  };
  const reporter = new PodReporter(reports, () => ({ state: ++state }) as unknown as PodDocument, ended.signal);
  for (let i = 0; i < 10; i++) await reporter.report();
  expect(asked).toBe(10);
  isAway = false;
  await until("it is asked again", () => asked > 10);
  // What else waited for that moment has had its turn behind it.
  await new Promise((resolve) => setImmediate(resolve));
  await reporter.report();
  expect(asked).toBe(12);
  ended.abort();
});
