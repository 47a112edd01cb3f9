import { type Diagnostic, formatDiagnostic } from "../model/diagnostic.ts";

/** Tells of each fault once that it is there and once that it is gone; one that only moved to another line is the same. */
export class FaultTeller {
  readonly #appeared: (line: string) => void;
  readonly #mended: (line: string) => void;
  #told: ReadonlyMap<string, Diagnostic> = new Map();

  constructor(tell: { readonly appeared: (line: string) => void; readonly mended: (line: string) => void }) {
    this.#appeared = tell.appeared;
    this.#mended = tell.mended;
  }

  /** Takes all faults that there are now. */
  see(found: readonly Diagnostic[]): void {
    const now = new Map(found.map((fault) => [keyOf(fault), fault]));
    for (const [key, fault] of now) if (!this.#told.has(key)) this.#appeared(formatDiagnostic(fault));
    for (const [key, { help: _, ...fault }] of this.#told) if (!now.has(key)) this.#mended(formatDiagnostic(fault));
    this.#told = now;
  }
}

function keyOf({ code, message, resource, position }: Diagnostic): string {
  return JSON.stringify([code, message, resource, position?.file]);
}
