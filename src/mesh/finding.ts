import type { DiagnosticCode } from "../model/catalogue.ts";
import { diagnostic, type Diagnostic } from "../model/diagnostic.ts";
import type { Origin } from "../model/origin.ts";
import type { SourcePosition } from "../model/position.ts";
import { formatRef, type ResourceRef } from "../model/resource.ts";

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

/** Where a node stands now; undefined for one of a resource that is gone. */
export type Locate = (origin: Origin) => SourcePosition | undefined;

/** Each finding once, with the position that its node has now. */
export function toDiagnostics(findings: Iterable<Finding>, locate: Locate): readonly Diagnostic[] {
  const seen = new Map<string, Diagnostic>();
  for (const finding of findings) {
    const { code, message, help, origin, related } = finding;
    const key = `${code} ${formatRef(origin.ref)} ${origin.path.join("/")} ${message}`;
    if (seen.has(key)) continue;
    const position = locate(origin);
    const optional = {
      ...(help !== undefined && { help }),
      ...(position !== undefined && { position }),
      ...(related !== undefined && { related }),
    };
    seen.set(key, diagnostic(code, { message, resource: origin.ref, ...optional }));
  }
  return [...seen.values()];
}
