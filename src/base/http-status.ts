/** Ranges of statuses, ends included, for which Envoy's API has a name (envoy.type.v3.StatusCode); its configuration takes no other. */
const RANGES = [
  [100],
  [200, 208],
  [226],
  [300, 305],
  [307, 308],
  [400, 417],
  [421, 424],
  [426],
  [428, 429],
  [431],
  [500, 508],
  [510, 511],
] as const;

/** Whether Envoy's configuration can name the status. */
export function isKnownStatus(status: number): boolean {
  return Number.isInteger(status) && RANGES.some(([first, last = first]) => status >= first && status <= last);
}
