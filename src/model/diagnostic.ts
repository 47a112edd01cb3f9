import { formatPosition, type SourcePosition } from "./position.ts";
import type { ResourceRef } from "./resource.ts";
import { catalogue, type DiagnosticCode, type Severity } from "./catalogue.ts";

export type { DiagnosticCode, Severity } from "./catalogue.ts";

/** One thing we have to tell a person about their configuration. Data only: no text wrapping, no colour. */
export interface Diagnostic {
  readonly code: DiagnosticCode;
  readonly severity: Severity;
  readonly message: string;
  /** What to do next, in the imperative. Absent only when there is nothing to do. */
  readonly help?: string;
  readonly resource?: ResourceRef;
  readonly position?: SourcePosition;
  /** Other places that share the blame, e.g. the first definition of a duplicate host. */
  readonly related?: readonly { readonly message: string; readonly resource: ResourceRef }[];
}

type Details = Omit<Diagnostic, "code" | "severity">;

export function diagnostic(code: DiagnosticCode, details: Details): Diagnostic {
  return { code, severity: catalogue[code].severity, ...details };
}

/** One line for a log: `routes.yaml:12: error IST0101: ... (help)`. */
export function formatDiagnostic({ severity, code, message, position, help }: Diagnostic): string {
  const where = position === undefined ? "" : `${formatPosition(position)}: `;
  return `${where}${severity} ${code}: ${message}${help === undefined ? "" : ` (${help})`}`;
}

/** Notes in one line, for where they would hide the rest; `command` prints them. Empty where there are none. */
export function summariseNotes(diagnostics: readonly Diagnostic[], command: string): string {
  const notes = diagnostics.filter(({ severity }) => severity === "info");
  if (notes.length === 0) return "";
  const skipped = notes.filter(({ code }) => code === "KMK1004").length;
  const documents = skipped === 0 ? "" : ` (${skipped} of them on skipped documents)`;
  return `${notes.length} note${notes.length === 1 ? "" : "s"} on what has no effect here${documents}: ${command}`;
}
