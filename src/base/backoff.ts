export interface Backoff {
  readonly firstMs: number;
  readonly longestMs: number;
  /** One that ran this long has earned a quick start again. */
  readonly steadyMs: number;
}

/** How long to wait before the next start, doubling up to the longest; `previousMs` is 0 for the first. */
export function nextBackoff(previousMs: number, ranForMs: number, { firstMs, longestMs, steadyMs }: Backoff): number {
  if (previousMs === 0 || ranForMs >= steadyMs) return firstMs;
  return Math.min(previousMs * 2, longestMs);
}
