/** Puts an AuthorizationPolicy on trial: what it would refuse is counted, and nothing is refused. */
export const DRY_RUN = "istio.io/dry-run";

const SPELLINGS: ReadonlyMap<string, boolean> = new Map([
  ...["1", "t", "T", "TRUE", "true", "True"].map((text) => [text, true] as const),
  ...["0", "f", "F", "FALSE", "false", "False"].map((text) => [text, false] as const),
]);

/** Whether the annotations put their policy on trial; undefined where that can't be read (Istio's spellings, which are Go's). */
export function readDryRun(annotations: Readonly<Record<string, unknown>>): boolean | undefined {
  const text = annotations[DRY_RUN];
  if (text === undefined) return false;
  return typeof text === "string" ? SPELLINGS.get(text) : undefined;
}
