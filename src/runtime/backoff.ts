const FIRST_MS = 1000;
const LONGEST_MS = 60_000;
/** A process that ran this long has earned a quick start again. */
const STEADY_MS = 60_000;

/** How long to wait before the next start, doubling from 1 s to 60 s; `previousMs` is 0 for the first. */
export function nextBackoff(previousMs: number, ranForMs: number): number {
  if (previousMs === 0 || ranForMs >= STEADY_MS) return FIRST_MS;
  return Math.min(previousMs * 2, LONGEST_MS);
}
