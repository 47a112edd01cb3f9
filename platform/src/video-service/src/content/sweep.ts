import type { ContentStore } from "./store.ts";

export interface SweepOptions {
  readonly store: ContentStore;
  /** Those of the keys that a video points to. */
  readonly used: (keys: readonly string[]) => Promise<ReadonlySet<string>>;
  /** Longer than any upload takes: younger ones may still be on their way to a video. */
  readonly olderThanMs: number;
  readonly now: number;
}

/** Removes contents that nothing points to: of uploads that were cut off by a crash. Returns how many. */
export async function sweep({ store, used, olderThanMs, now }: SweepOptions): Promise<number> {
  const keys = await store.keysBefore(new Date(now - olderThanMs));
  const inUse = await used(keys);
  const unused = keys.filter((key) => !inUse.has(key));
  for (const key of unused) await store.remove(key);
  return unused.length;
}
