import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ObservedPod } from "../runtime/index.ts";
import { lastLine, PodFaults } from "./pod-faults.ts";
import { PodTable } from "./pod-table.ts";

let folder: string;
let said: string[];
let faults: PodFaults;

beforeEach(() => {
  vi.useFakeTimers();
  folder = mkdtempSync(join(tmpdir(), "kumiko-faults-"));
  mkdirSync(join(folder, "shop"));
  said = [];
  faults = new PodFaults({ progress: { mended: (line) => said.push(line), warn: (line) => said.push(`‼ ${line}`) }, logs: folder });
});

afterEach(() => {
  faults.close();
  vi.useRealTimers();
  rmSync(folder, { recursive: true });
});

const pod = (over: Partial<ObservedPod> = {}): ObservedPod => ({
  namespace: "shop",
  name: "users-1",
  workload: "Deployment/shop/users",
  address: "10.0.0.1",
  phase: "Running",
  ready: true,
  message: "",
  restarts: 0,
  terminating: false,
  ...over,
});

test("a crash is said at once, with the last line that the program wrote, and once until it is mended", () => {
  writeFileSync(join(folder, "shop/users-1.log"), "no \u001b[31mdatabase\n[kumiko] exit code 1; starts again in 1 s\n");
  faults.observe([pod()]);
  for (const restarts of [1, 2]) {
    faults.observe([pod({ ready: false, restarts, message: `a: exit code 1; starts again in ${restarts} s` })]);
    faults.observe([pod({ restarts })]);
  }
  expect(said).toEqual([
    "‼ shop/users-1: a: exit code 1; starts again in 1 s; it last wrote: no [31mdatabase (kumiko logs users-1 -n shop)",
  ]);
  vi.advanceTimersByTime(6000);
  expect(said.slice(1)).toEqual(["shop/users-1 is ready again"]);
});

test("what can't start is said after some seconds, what only starts much later, and what resolves or ends by itself never", () => {
  const broken = pod({ name: "a", ready: false, message: "network: ConfigMap nowhere is missing" });
  const slow = pod({ name: "b", ready: false, message: "b: not ready yet" });
  const short = pod({ name: "c", ready: false, message: "proxy: connect ENOENT" });
  const ending = pod({ name: "d", ready: false, terminating: true });
  faults.observe([broken, slow, short, ending]);
  vi.advanceTimersByTime(1000);
  faults.observe([broken, slow, { ...short, ready: true, message: "" }, ending]);
  vi.advanceTimersByTime(5000);
  expect(said).toEqual(["‼ shop/a: network: ConfigMap nowhere is missing (kumiko logs a -n shop)"]);
  vi.advanceTimersByTime(20_000);
  expect(said.slice(1)).toEqual(["‼ shop/b: b: not ready yet (kumiko logs b -n shop)"]);
});

test("the last line of a log that is not there is none", () => {
  expect(lastLine(join(folder, "nowhere"))).toBe("");
});

test("a workload that crashes and is ready for a moment does not end the wait for all", async () => {
  const table = new PodTable();
  let settled: readonly ObservedPod[] | undefined;
  void table.settled(60_000, new AbortController().signal).then((pods) => (settled = pods));
  table.set([pod({ restarts: 1 })]);
  await vi.advanceTimersByTimeAsync(2000);
  table.set([pod({ restarts: 1, ready: false })]);
  await vi.advanceTimersByTimeAsync(100);
  table.set([pod({ restarts: 2 })]);
  await vi.advanceTimersByTimeAsync(2000);
  expect(settled).toBeUndefined();
  await vi.advanceTimersByTimeAsync(2000);
  expect(settled).toEqual([]);
});
