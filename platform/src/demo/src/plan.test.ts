import { describe, expect, test } from "vitest";
import { type Kind, planOf, usualShares } from "./plan.ts";

const steps = (over: Partial<Parameters<typeof planOf>[0]> = {}) => [...planOf({ rate: 400, seconds: 60, seed: 7, ...over })];
const writes: readonly Kind[] = ["message over WebSocket", "message", "mark read", "upload", "change profile", "sign up"];

describe("planOf", () => {
  test("the same seed gives the same steps, another one others", () => {
    expect(steps()).toEqual(steps());
    expect(steps({ seed: 8 })).not.toEqual(steps());
  });

  test("as many steps as rate and time say, in order, each within its turn", () => {
    const all = steps({ rate: 50, seconds: 4 });
    expect(all).toHaveLength(200);
    for (const { index, atMs } of all) {
      expect(atMs).toBeGreaterThanOrEqual(index * 20);
      expect(atMs).toBeLessThan((index + 1) * 20);
    }
  });

  test("before them the rate rises from nothing", () => {
    const all = steps({ rate: 400, seconds: 1, warmUpSeconds: 4 });
    const inSecond = (second: number) => all.filter(({ atMs }) => atMs >= second * 1000 && atMs < (second + 1) * 1000).length;
    expect(all.every(({ atMs }, i) => atMs >= (all[i - 1]?.atMs ?? 0))).toBe(true);
    for (const [second, expected] of [50, 150, 250, 350, 400].entries())
      expect(Math.abs(inSecond(second) - expected)).toBeLessThanOrEqual(1);
    expect(all).toHaveLength(1200);
  });

  test("95 % of the steps read", () => {
    const all = steps();
    const share = all.filter(({ kind }) => writes.includes(kind)).length / all.length;
    expect(share).toBeGreaterThan(0.045);
    expect(share).toBeLessThan(0.055);
  });

  test("every kind comes, and nobody signs up within a second of somebody else", () => {
    const all = steps({ rate: 2_000, seconds: 10 });
    expect(new Set(all.map(({ kind }) => kind))).toEqual(new Set(Object.keys(usualShares)));
    const times = all.filter(({ kind }) => kind === "sign up").map(({ atMs }) => atMs);
    expect(times.length).toBeGreaterThan(5);
    for (const [index, atMs] of times.entries()) expect(atMs - (times[index - 1] ?? -Infinity)).toBeGreaterThanOrEqual(1_000);
  });

  test("other shares may be given", () => {
    const none = Object.fromEntries(Object.keys(usualShares).map((kind) => [kind, 0])) as Record<Kind, number>;
    expect(new Set(steps({ shares: { ...none, page: 1 } }).map(({ kind }) => kind))).toEqual(new Set(["page"]));
  });
});
