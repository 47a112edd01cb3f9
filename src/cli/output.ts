import type { Io } from "./io.ts";
import { type Cell, painter, renderTable } from "./render.ts";

/** kubectl's forms of an answer. */
export const OUTPUT_OPTION = {
  type: "string",
  short: "o",
  value: "FORMAT",
  help: "how to print it",
  choices: ["json", "yaml", "wide", "name"],
} as const;
/** For commands that have no names to print. */
export const DATA_OPTION = {
  type: "string",
  short: "o",
  value: "FORMAT",
  help: "how to print it",
  choices: ["json", "yaml", "wide"],
} as const;

export async function writeData(io: Io, format: "json" | "yaml", value: unknown): Promise<void> {
  if (format === "json") {
    io.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
    return;
  }
  const { stringify } = await import("yaml");
  io.stdout.write(stringify(value, { lineWidth: 0 }));
}

export interface Column<Row> {
  readonly heading: string;
  readonly cell: (row: Row) => Cell;
  /** Shown with `-o wide` only. */
  readonly wide?: true;
  /** Left out where no row has something in it. */
  readonly optional?: true;
}

export function writeTable<Row>(io: Io, columns: readonly Column<Row>[], rows: readonly Row[], wide: boolean): void {
  const hasContent = ({ cell }: Column<Row>) => rows.some((row) => cell(row) !== "");
  const shown = columns.filter((column) => (wide || column.wide !== true) && (column.optional !== true || hasContent(column)));
  const cells = rows.map((row) => shown.map((column) => column.cell(row)));
  const headings = shown.map((column) => column.heading);
  io.stdout.write(renderTable(headings, cells, painter(io.stdout, io.environment)));
}

/** True where the caller asked for data: the rest is for people. */
export function isData(format: string | undefined): format is "json" | "yaml" {
  return format === "json" || format === "yaml";
}
