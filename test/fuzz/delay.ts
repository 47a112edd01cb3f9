import type { Draw } from "./draw.ts";

/**
 * Limits that resources set (the time of a route, of a try, of a check) are a second or two in generated meshes, and applications answer around them. What
 * nobody can set so low is left to `src/evaluate/time-limits.test.ts`: the 300 s for which the profile zero-trust lets a stream be idle and the life of
 * streams, and Istio's 15 s and 600 s where nothing is said.
 */
const ROUTE_LIMITS_MS = [750, 1350, 2500] as const;

/** Between those of routes, and so are their multiples with what Envoy waits between two tries, so that no two limits end at once. */
const TRY_LIMITS_MS = [500, 1100] as const;
export const CHECK_LIMIT_MS = 1900;

const PARTS = [0.1, 0.4, 0.7, 0.9, 1.1, 1.3, 1.5, 1.5] as const;

/** How long the application is asked to take, near the longest time that it has. */
export function drawDelay(draw: Draw, limitsMs: readonly number[]): string {
  return String(Math.round(Math.max(...limitsMs, ROUTE_LIMITS_MS[0]) * draw.one(PARTS)));
}

export function drawTimeout(draw: Draw): string {
  return `${draw.one(ROUTE_LIMITS_MS)}ms`;
}

export function drawTryTimeout(draw: Draw): string {
  return `${draw.one(TRY_LIMITS_MS)}ms`;
}

/** So much a busy machine may be late. What would end otherwise if an answer came by that much earlier or later is nobody's mistake. */
export const MARGIN_MS = 200;
export const DELAY_HEADER = "x-echo-delay-ms";
