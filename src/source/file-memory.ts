import { formatRef, type LocatedResource } from "../model/resource.ts";
import { diagnostic, type Diagnostic } from "../model/diagnostic.ts";
import { formatPosition } from "../model/position.ts";
import { checkDocument, type RawDocument } from "../schema/index.ts";

/** What one file declares now, with the last good version of what is wrong in it. */
export interface FileMemory {
  readonly resources: readonly LocatedResource[];
  readonly diagnostics: readonly Diagnostic[];
  /** By `formatRef`: the last version of each resource that was right. */
  readonly lastGood: ReadonlyMap<string, LocatedResource>;
  /** Documents of which nobody can say what they declare: a kind that isn't read, a name that is missing. */
  readonly nameless: number;
}

export const EMPTY_FILE: FileMemory = { resources: [], diagnostics: [], lastGood: new Map(), nameless: 0 };

/** The file as a whole can't be used: what it said before stays. */
export function keepFile(before: FileMemory, file: string, diagnostics: readonly Diagnostic[]): FileMemory {
  if (before.resources.length === 0) return { ...before, diagnostics };
  const message = `the last good version of ${file} stays in use (${before.resources.length} resources)`;
  return { ...before, diagnostics: [...diagnostics, diagnostic("KMK0006", { message, position: { file, line: 1, column: 1 } })] };
}

/** Checks what a file says now; a resource that is wrong keeps its last good version, or gets a stricter stand-in where its kind has one. */
export function updateFile(before: FileMemory, documents: readonly RawDocument[]): FileMemory {
  const resources: LocatedResource[] = [];
  const diagnostics: Diagnostic[] = [];
  const lastGood = new Map<string, LocatedResource>();
  let nameless = 0;
  for (const document of documents) {
    const checked = checkDocument(document);
    diagnostics.push(...checked.diagnostics);
    if (checked.ref === undefined) {
      nameless += 1;
      continue;
    }
    const key = formatRef(checked.ref);
    const kept = before.lastGood.get(key);
    const good = checked.resource ?? kept;
    if (good !== undefined) lastGood.set(key, good);
    if (checked.resource === undefined && kept !== undefined) diagnostics.push(keptNote(kept, key, document));
    const used = good ?? checked.fallback;
    if (used !== undefined) resources.push(used);
  }
  return { resources, diagnostics, lastGood, nameless };
}

function keptNote(kept: LocatedResource, key: string, document: RawDocument): Diagnostic {
  const { kind, metadata } = kept;
  const message = `the last good version of ${key} stays in use (it was at ${formatPosition(kept.locate([]))})`;
  return diagnostic("KMK0006", {
    message,
    resource: { kind, namespace: metadata.namespace, name: metadata.name },
    position: document.locate([]),
  });
}
