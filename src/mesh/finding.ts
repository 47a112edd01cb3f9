import type { DiagnosticCode } from "../model/catalogue.ts";
import { diagnostic, type Diagnostic } from "../model/diagnostic.ts";
import type { Origin } from "../model/origin.ts";
import { formatRef, type Resource, type ResourceRef } from "../model/resource.ts";

/**
 * A diagnostic before its place is looked up. It may be kept with a memoised result: a line added above changes the place, not the finding.
 */
export interface Finding {
  readonly code: DiagnosticCode;
  readonly message: string;
  readonly help?: string;
  readonly origin: Origin;
  readonly related?: readonly { readonly message: string; readonly resource: ResourceRef }[];
}

/** Each finding once, with the position that its node has now. */
export function toDiagnostics(findings: Iterable<Finding>, find: (ref: ResourceRef) => Resource | undefined): readonly Diagnostic[] {
  const seen = new Map<string, Diagnostic>();
  for (const finding of findings) {
    const { code, message, help, origin, related } = finding;
    const key = `${code} ${formatRef(origin.ref)} ${origin.path.join("/")} ${message}`;
    if (seen.has(key)) continue;
    const position = find(origin.ref)?.locate(origin.path);
    const optional = {
      ...(help !== undefined && { help }),
      ...(position !== undefined && { position }),
      ...(related !== undefined && { related }),
    };
    seen.set(key, diagnostic(code, { message, resource: origin.ref, ...optional }));
  }
  return [...seen.values()];
}
