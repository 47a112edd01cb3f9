/** The only place that knows colour, columns and the wording of an age. Data in, text out. */
import { asTyped } from "../base/as-typed.ts";
import { printable, printableLines } from "../base/printable.ts";
import type { Diagnostic } from "../model/diagnostic.ts";
import { MeshError } from "../model/error.ts";
import { formatPosition } from "../model/position.ts";
import { formatDeclared } from "../model/resource.ts";

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";
export type Paint = (text: string, style: Style) => string;

const CODES: Readonly<Record<Style, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
};

/** Colour for a terminal whose user didn't set NO_COLOR; else the text as it is. */
export function painter(output: { readonly isTerminal: boolean }, environment: { readonly noColour: boolean }): Paint {
  if (!output.isTerminal || environment.noColour) return (text) => text;
  return (text, style) => `\u001b[${CODES[style][0]}m${text}\u001b[${CODES[style][1]}m`;
}

/** A cell; `style` colours it without counting for its width. */
export type Cell = string | { readonly text: string; readonly style: Style };

/** A place as a person at this terminal would type it: relative to the current folder where it lies in there. */
export function renderPlace(place: string, cwd: string): string {
  const folder = cwd.endsWith("/") ? cwd : `${cwd}/`;
  return place.startsWith(folder) ? place.slice(folder.length) : place;
}

/** Columns of kubectl's kind: upper-case headings, three spaces between, the last column as long as it likes. No rows, no table. */
export function renderTable(headings: readonly string[], rows: readonly (readonly Cell[])[], paint: Paint): string {
  const texts = rows.map((row) => headings.map((_, column) => printable(textOf(row[column] ?? ""))));
  const widths = headings.map((heading, column) => Math.max(heading.length, ...texts.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[], painted: readonly string[]): string =>
    cells
      .map(
        (text, column) =>
          (painted[column] ?? text) + (column === cells.length - 1 ? "" : " ".repeat((widths[column] ?? 0) - text.length + 3)),
      )
      .join("");
  const body = texts.map((cells, index) =>
    line(
      cells,
      cells.map((text, column) => {
        const cell = rows[index]?.[column];
        return cell !== undefined && typeof cell !== "string" ? paint(text, cell.style) : text;
      }),
    ),
  );
  const heading = line(
    headings,
    headings.map((text) => paint(text, "bold")),
  );
  return `${[heading, ...body].map((text) => text.trimEnd()).join("\n")}\n`;
}

function textOf(cell: Cell): string {
  return typeof cell === "string" ? cell : cell.text;
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `42s`, `3m10s`, `45m`, `5h12m`, `3d`: two units while they say something, as kubectl does. Negative durations are zero. */
export function renderDuration(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 2 * MINUTE) return `${seconds}s`;
  if (seconds < 10 * MINUTE) return twoUnits(seconds, MINUTE, "m", 1, "s");
  if (seconds < 3 * HOUR) return `${Math.floor(seconds / MINUTE)}m`;
  if (seconds < 8 * HOUR) return twoUnits(seconds, HOUR, "h", MINUTE, "m");
  if (seconds < 2 * DAY) return `${Math.floor(seconds / HOUR)}h`;
  if (seconds < 8 * DAY) return twoUnits(seconds, DAY, "d", HOUR, "h");
  return `${Math.floor(seconds / DAY)}d`;
}

function twoUnits(seconds: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((seconds % large) / small);
  return `${Math.floor(seconds / large)}${largeName}${rest === 0 ? "" : `${rest}${smallName}`}`;
}

/** The age of a time in RFC 3339, or `<unknown>`. */
export function renderAge(time: string | undefined, now: number): string {
  const at = time === undefined ? Number.NaN : Date.parse(time);
  return Number.isNaN(at) ? "<unknown>" : renderDuration(now - at);
}

/** `error: …`, what caused it, and the next command to type, with `program` as the person calls us. */
export function renderError(thrown: unknown, paint: Paint, program = "kumiko"): string {
  const error = MeshError.from(thrown);
  const lines = [`${paint("error:", "red")} ${printableLines(error.message)}`];
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    if (!error.message.includes(cause.message)) lines.push(`  cause: ${printableLines(cause.message)}`);
  }
  if (error.help !== undefined) lines.push(`  ${paint("next:", "cyan")} ${printableLines(asTyped(error.help, program))}`);
  if (error.code === "bug" && error.cause instanceof Error && error.cause.stack !== undefined)
    lines.push(paint(printableLines(error.cause.stack), "dim"));
  return `${lines.join("\n")}\n`;
}

/** One diagnostic as an editor's problem list has it: `file:line:column: severity CODE resource: message`, then the help. */
export function renderDiagnostic(diagnostic: Diagnostic, paint: Paint, cwd = "/", program = "kumiko"): string {
  const { code, severity, message, help, resource, position, related = [] } = diagnostic;
  const where = position === undefined ? "" : `${renderPlace(formatPosition(position), cwd)}:${position.column}: `;
  const style = severity === "error" ? "red" : severity === "warning" ? "yellow" : "cyan";
  const what = resource === undefined ? "" : ` ${formatDeclared(resource)}`;
  const lines = [`${printable(where)}${paint(severity, style)} ${code}${printable(what)}: ${printable(message)}`];
  for (const other of related) lines.push(`  see ${printable(formatDeclared(other.resource))}: ${printable(other.message)}`);
  if (help !== undefined) lines.push(`  help: ${printable(asTyped(help, program))}`);
  return `${lines.join("\n")}\n`;
}
