import { diagnostic, type Diagnostic } from "../model/diagnostic.ts";
import { formatRef, refOf, type Resource } from "../model/resource.ts";

/** More than both at once is held back: an emptied folder or a wrong mount must not take a mesh down. */
const HELD_ABOVE = { share: 0.3, count: 20 } as const;

export interface Guarded {
  /** What is in force: what is declared now, and what is held back from vanishing. */
  readonly resources: readonly Resource[];
  readonly held: readonly Resource[];
  readonly diagnostics: readonly Diagnostic[];
}

export const NOTHING_YET: Guarded = { resources: [], held: [], diagnostics: [] };

/**
 * Compares what is declared now with what is in force. Where more than 30 % of all resources and more than 20 would vanish at once they stay,
 * until they are declared again, so many of them that the rest may go, or `accept` says that they are meant to go.
 */
export function guardRemovals(before: Guarded, declared: readonly Resource[], accept: boolean): Guarded {
  const now = new Set(declared.map(keyOf));
  const missing = before.resources.filter((resource) => !now.has(keyOf(resource)));
  const isTooMany = missing.length > HELD_ABOVE.count && missing.length > before.resources.length * HELD_ABOVE.share;
  if (!isTooMany || accept) return { resources: declared, held: [], diagnostics: [] };
  const [first] = missing;
  const message = `${missing.length} of ${before.resources.length} resources vanished at once: they stay in force`;
  const help = "put them back; if they are meant to go, start the control plane again";
  const held = diagnostic("KMK0004", { message, help, ...(first && { resource: refOf(first), position: first.locate([]) }) });
  return { resources: [...declared, ...missing], held: missing, diagnostics: [held] };
}

function keyOf(resource: Resource): string {
  return formatRef(refOf(resource));
}
