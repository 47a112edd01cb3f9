/** Counts wrong passwords by account. */
export interface Attempts {
  /** True while this account must wait. */
  mustWait(sub: string): boolean;
  failed(sub: string): void;
  succeeded(sub: string): void;
}

const FREE = 5;
const WAIT_MS = 30_000;
/** Names that were tried are forgotten, oldest first, when there are too many. */
const MAX_NAMES = 10_000;

/** After five wrong passwords in a row, one guess in half a minute. */
export function createAttempts(now: () => number = Date.now): Attempts {
  const failures = new Map<string, { readonly count: number; readonly last: number }>();
  return {
    mustWait(sub) {
      const known = failures.get(sub);
      return known !== undefined && known.count >= FREE && now() - known.last < WAIT_MS;
    },
    failed(sub) {
      const count = (failures.get(sub)?.count ?? 0) + 1;
      failures.delete(sub);
      failures.set(sub, { count, last: now() });
      const [oldest] = failures.keys();
      if (failures.size > MAX_NAMES && oldest !== undefined) failures.delete(oldest);
    },
    succeeded: (sub) => void failures.delete(sub),
  };
}
