export interface Backoff {
  readonly firstMs: number;
  readonly longestMs: number;
  /** A process that ran this long has earned a quick start again. */
  readonly steadyMs: number;
}

/** Of workloads: like a kubelet's, but that it begins sooner and ends at a minute. */
const WORKLOADS: Backoff = { firstMs: 1000, longestMs: 60_000, steadyMs: 60_000 };

/** Of what everything else stands on. */
export const ESSENTIAL: Backoff = { firstMs: 200, longestMs: 10_000, steadyMs: 30_000 };

/** How long to wait before the next start, doubling up to the longest; `previousMs` is 0 for the first. */
export function nextBackoff(previousMs: number, ranForMs: number, { firstMs, longestMs, steadyMs }: Backoff = WORKLOADS): number {
  if (previousMs === 0 || ranForMs >= steadyMs) return firstMs;
  return Math.min(previousMs * 2, longestMs);
}
