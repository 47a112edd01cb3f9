import type { Diagnostic } from "../../model/diagnostic.ts";
import type { JsonPath, SourcePosition } from "../../model/position.ts";
import type { LocatedResource } from "../../model/resource.ts";
import { checkDocument } from "../../schema/index.ts";
import { OPERATORS } from "./operators.ts";
import { findPlaces } from "./place.ts";

/** One resource with one change in it. */
export interface Mutant {
  readonly original: LocatedResource;
  /** Where the change is in the user's file. */
  readonly position: SourcePosition;
  /** `spec.rules[1] dropped`. */
  readonly change: string;
  /** Absent where the resource is gone. */
  readonly resource?: LocatedResource;
  /** What a mesh would say of the changed document. */
  readonly diagnostics: readonly Diagnostic[];
}

/** All changes of a resource that leave a usable one behind, or none; each result once. */
export function mutantsOf(original: LocatedResource): readonly Mutant[] {
  const seen = new Set([original.hash]);
  const mutants: Mutant[] = [];
  const document = original.body as object;
  for (const { at, change } of OPERATORS.filter(({ kind }) => kind === original.kind)) {
    for (const place of findPlaces(document, at)) {
      const changed = change(document, place);
      if (changed === undefined) continue;
      const common = { original, position: positionOf(original, changed.path), change: changed.words };
      if (changed.document === undefined) {
        mutants.push({ ...common, diagnostics: [] });
        continue;
      }
      const { resource, diagnostics } = recheck(original, changed.document);
      if (resource === undefined || seen.has(resource.hash)) continue;
      seen.add(resource.hash);
      mutants.push({ ...common, resource, diagnostics });
    }
  }
  return mutants;
}

function recheck({ apiVersion, kind, metadata, locate }: LocatedResource, body: object): ReturnType<typeof checkDocument> {
  return checkDocument({ value: { ...body, apiVersion, kind, metadata }, locate });
}

/** The whole resource is where its name stands. */
function positionOf({ locate }: LocatedResource, path: JsonPath): SourcePosition {
  return locate(path.length === 0 ? ["metadata", "name"] : path);
}
