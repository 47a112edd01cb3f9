/** Of things with a size and a time, the oldest, so many that the others together take no more than `maxBytes`. */
export function beyondBytes<Kept extends { readonly bytes: number; readonly atMs: number }>(
  all: readonly Kept[],
  maxBytes: number,
): readonly Kept[] {
  let bytes = 0;
  return all.toSorted((a, b) => b.atMs - a.atMs).filter((one) => (bytes += one.bytes) > maxBytes);
}
