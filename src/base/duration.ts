const MS_BY_UNIT: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, μs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Longer than any duration that means something; Go's own limit is about 292 years. */
const LONGEST_TEXT = 64;

/**
 * Reads a duration as Istio, Go and protobuf's JSON write it: "5s", "0.25s", "1h30m", "100ms", "0".
 * Gives milliseconds (a fraction where the text names less than one); undefined for anything else, negative ones included: no field takes one.
 */
export function parseDuration(text: string): number | undefined {
  if (text === "0") return 0;
  if (text.length > LONGEST_TEXT) return undefined;
  const rest = text.startsWith("+") ? text.slice(1) : text;
  const part = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;
  let total = 0;
  let end = 0;
  for (let match = part.exec(rest); match !== null; match = part.exec(rest)) {
    const [whole, amount = "", unit = ""] = match;
    total += Number(amount) * (MS_BY_UNIT[unit] ?? Number.NaN);
    end += whole.length;
  }
  return end > 0 && end === rest.length && Number.isFinite(total) ? total : undefined;
}

/** Writes milliseconds as protobuf's JSON does: `1.5s`. */
export function formatDuration(milliseconds: number): string {
  return `${milliseconds / 1000}s`;
}
