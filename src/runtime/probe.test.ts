import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  afterResult,
  type ContainerHealth,
  NOT_PROBED,
  type ProbeKind,
  type ProbeSpec,
  toContainerHealth,
  toProbeTiming,
} from "./probe.ts";
import { ProbeLoop } from "./probe-loop.ts";

describe("afterResult", () => {
  const verdicts = (results: string, spec: ProbeSpec) => {
    const timing = toProbeTiming(spec);
    let state = NOT_PROBED;
    return [...results].map((result) => (state = afterResult(state, result === "+", timing)).verdict);
  };

  test.each([
    { title: "one success is enough by default", results: "+", spec: {}, last: "success" },
    { title: "two failures are not enough by default", results: "+--", spec: {}, last: "success" },
    { title: "three failures in a row are", results: "+---", spec: {}, last: "failure" },
    { title: "a success between starts the count again", results: "+--+--", spec: {}, last: "success" },
    { title: "a success threshold counts in a row", results: "---+-++", spec: { successThreshold: 3 }, last: "failure" },
    { title: "nothing is known before a threshold is met", results: "--", spec: {}, last: "unknown" },
  ])("$title", ({ results, spec, last }) => {
    expect(verdicts(results, spec).at(-1)).toBe(last);
  });
});

describe("toContainerHealth", () => {
  const good = { verdict: "success", last: "success", inARow: 1 } as const;
  const bad = { verdict: "failure", last: "failure", inARow: 3 } as const;

  test.each([
    { title: "without probes it is ready", states: {}, expected: { started: true, ready: true, mustRestart: false } },
    {
      title: "an unanswered readiness probe keeps it from being ready",
      states: { readiness: NOT_PROBED },
      expected: { started: true, ready: false, mustRestart: false },
    },
    {
      title: "before its start-up it is neither ready nor restarted for liveness",
      states: { startup: NOT_PROBED, liveness: bad, readiness: good },
      expected: { started: false, ready: false, mustRestart: false },
    },
    { title: "a failed start-up restarts it", states: { startup: bad }, expected: { started: false, ready: false, mustRestart: true } },
    {
      title: "failed liveness restarts it",
      states: { startup: good, liveness: bad },
      expected: { started: true, ready: true, mustRestart: true },
    },
  ])("$title", ({ states, expected }) => {
    expect(toContainerHealth(states)).toEqual(expected);
  });
});

describe("ProbeLoop", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const start = (specs: Partial<Record<ProbeKind, ProbeSpec>>) => {
    const answers: Record<string, boolean> = {};
    const asked: string[] = [];
    const seen: ContainerHealth[] = [];
    const loop = new ProbeLoop({
      specs,
      ask: async (spec) => {
        asked.push(spec.httpGet?.path ?? "");
        return answers[spec.httpGet?.path ?? ""] ?? false;
      },
      onChange: (health) => seen.push(health),
    });
    return { loop, answers, asked, seen };
  };
  const spec = (path: string, over: ProbeSpec = {}): ProbeSpec => ({ httpGet: { path, port: 80 }, ...over });

  test("a container becomes ready within a quarter of a second of its readiness, whatever the period", async () => {
    const { loop, answers } = start({ readiness: spec("ready", { periodSeconds: 60 }) });
    await vi.advanceTimersByTimeAsync(1000);
    expect(loop.health.ready).toBe(false);
    answers["ready"] = true;
    await vi.advanceTimersByTimeAsync(250);
    expect(loop.health.ready).toBe(true);
    loop.close();
  });

  test("questions between two periods count no failure: a start-up of 30 s with 10 periods of 5 s is not cut short", async () => {
    const { answers, seen, loop } = start({ startup: spec("start", { periodSeconds: 5, failureThreshold: 10 }) });
    await vi.advanceTimersByTimeAsync(30_000);
    expect(seen).toEqual([]);
    answers["start"] = true;
    await vi.advanceTimersByTimeAsync(250);
    expect(loop.health.started).toBe(true);
    loop.close();
  });

  test("a start-up that never ends is a failure after threshold times period", async () => {
    const { seen, loop } = start({ startup: spec("start", { periodSeconds: 2, failureThreshold: 3 }) });
    await vi.advanceTimersByTimeAsync(5900);
    expect(seen).toEqual([]);
    await vi.advanceTimersByTimeAsync(600);
    expect(seen.at(-1)?.mustRestart).toBe(true);
    loop.close();
  });

  test("liveness waits for the start-up, and then for its period", async () => {
    const { asked, answers, seen, loop } = start({
      startup: spec("start"),
      liveness: spec("live", { periodSeconds: 1, failureThreshold: 2 }),
    });
    await vi.advanceTimersByTimeAsync(3000);
    expect(asked).not.toContain("live");
    answers["start"] = true;
    await vi.advanceTimersByTimeAsync(700);
    expect(asked.filter((path) => path === "live")).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1000);
    expect(seen.at(-1)?.mustRestart).toBe(true);
    loop.close();
  });

  test("an initial delay is kept, and a closed loop asks nothing any more", async () => {
    const { asked, loop } = start({ readiness: spec("ready", { initialDelaySeconds: 3 }) });
    await vi.advanceTimersByTimeAsync(2900);
    expect(asked).toEqual([]);
    await vi.advanceTimersByTimeAsync(200);
    expect(asked).toHaveLength(1);
    loop.close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toHaveLength(1);
  });
});
