import type { DiagnosticCode, Severity } from "../model/diagnostic.ts";
import type { JsonPath } from "../model/position.ts";

/** What a check has to say of one node of a document; the caller adds the resource and the position. */
export interface Finding {
  readonly code: DiagnosticCode;
  readonly path: JsonPath;
  readonly message: string;
  readonly help?: string;
  readonly severity?: Severity;
}

export type Report = (finding: Finding) => void;

/** The field can't stay as it is: the resource is not used. */
export function wrong(report: Report, path: JsonPath, message: string, help?: string): void {
  report({ code: "KMK1001", path, message, ...(help !== undefined && { help }) });
}
