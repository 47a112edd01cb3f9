/** One line of the table: what was measured, and where there is a promise, how much it may be. */
export interface BenchRow {
  readonly what: string;
  readonly value: number;
  readonly unit: "s" | "ms" | "kB" | "x";
  readonly atMost?: number;
}

export function isBroken({ value, atMost }: BenchRow): boolean {
  return atMost !== undefined && value > atMost;
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

export function renderRows(rows: readonly BenchRow[]): string {
  const cells = rows.map((row) => [row.what, `${format(row.value)} ${row.unit}`, promise(row)] as const);
  const width = (column: 0 | 1) => Math.max(...cells.map((cell) => cell[column].length));
  return cells.map(([what, value, bound]) => `${what.padEnd(width(0))}  ${value.padStart(width(1))}  ${bound}`.trimEnd()).join("\n");
}

function format(value: number): string {
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}

function promise(row: BenchRow): string {
  if (row.atMost === undefined) return "";
  return `at most ${row.atMost} ${row.unit}${isBroken(row) ? "  BROKEN" : ""}`;
}
