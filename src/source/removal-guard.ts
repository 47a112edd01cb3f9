import { quote } from "../base/shell.ts";
import { diagnostic, type Diagnostic } from "../model/diagnostic.ts";
import { formatPosition } from "../model/position.ts";
import { formatRef, refOf, type LocatedResource } from "../model/resource.ts";
import { isStandIn, restricts } from "../schema/index.ts";

/** What became of a file that declared something. `unclear`: a document of it is wrong, or nobody can say what it declares. */
export type Fate = "goes-on" | "unclear" | "empty" | "gone";

/** `many`: more of all kinds than an edit takes away; `together`: several that restrict, out of a file that goes on. */
export type HeldReason = "gone" | "empty" | "unclear" | "together" | "many";

/** A resource that no file declares any more, and that stays in force until somebody says that it is meant to go. */
export interface HeldRemoval {
  readonly resource: LocatedResource;
  readonly file: string;
  readonly reason: HeldReason;
}

export interface Guarded {
  /** What is in force: what is declared now, and what is held back from vanishing. */
  readonly resources: readonly LocatedResource[];
  readonly held: readonly HeldRemoval[];
}

export const NOTHING_YET: Guarded = { resources: [], held: [] };

/** More than both at once is held back whatever the kind: a wrong mount must not take a mesh down. */
const MANY = { share: 0.3, count: 20 } as const;

/** Taking one policy out of a file is an edit; more at once may be half a file. */
const EDITED_AT_ONCE = 1;

/**
 * Compares what is declared now with what is in force. Held back are: all of a file that is empty; what restricts where its file is gone, where
 * several vanish from files that go on, or where a document of the file can't be used; and everything where too much of all vanishes at once. What
 * another file declares has moved, and what is declared again is held no more.
 */
export function guardRemovals(before: Guarded, declared: readonly LocatedResource[], fateOf: (file: string) => Fate): Guarded {
  const now = new Set(declared.map(keyOf));
  const isMissing = (resource: LocatedResource) => !now.has(keyOf(resource)) && !isStandIn(resource);
  const stillHeld = before.held.filter(({ resource }) => isMissing(resource));
  const known = new Set(before.held.map(({ resource }) => keyOf(resource)));
  const missing = before.resources.filter((resource) => isMissing(resource) && !known.has(keyOf(resource)));
  if (missing.length === 0) return { resources: [...declared, ...stillHeld.map(({ resource }) => resource)], held: stillHeld };

  const isMany = missing.length > MANY.count && missing.length > before.resources.length * MANY.share;
  const losses = countLosses(before.resources, missing, declared);
  const held = missing.flatMap((resource): readonly HeldRemoval[] => {
    const { file } = resource.locate([]);
    const reason = reasonOf(resource, fateOf(file), losses) ?? (isMany ? "many" : undefined);
    return reason === undefined ? [] : [{ resource, file, reason }];
  });
  const all = [...stillHeld, ...held];
  return { resources: [...declared, ...all.map(({ resource }) => resource)], held: all };
}

function reasonOf(resource: LocatedResource, fate: Fate, losses: number): HeldReason | undefined {
  if (fate === "empty") return "empty";
  if (!restricts(resource.kind)) return undefined;
  if (fate !== "goes-on") return fate;
  return losses > EDITED_AT_ONCE ? "together" : undefined;
}

/** How many restricting resources fewer there are in each file that has lost some, summed up: a policy that got another name is none. */
function countLosses(
  before: readonly LocatedResource[],
  missing: readonly LocatedResource[],
  declared: readonly LocatedResource[],
): number {
  const known = new Set(before.map(keyOf));
  const balance = new Map<string, number>();
  for (const [resources, step] of [
    [missing, 1],
    [declared.filter((resource) => !known.has(keyOf(resource))), -1],
  ] as const) {
    // One document of a file that is read for several namespaces is one edit.
    const places = new Map(resources.filter(({ kind }) => restricts(kind)).map(({ locate }) => [formatPosition(locate([])), locate([])]));
    for (const { file } of places.values()) balance.set(file, (balance.get(file) ?? 0) + step);
  }
  return [...balance.values()].reduce((sum, lost) => sum + Math.max(0, lost), 0);
}

/** One word for each file and reason, with the command that lets it go. */
export function describeHeld(held: readonly HeldRemoval[]): readonly Diagnostic[] {
  const groups = Map.groupBy(held, ({ file, reason }) => `${reason} ${file}`);
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const { file, reason, resource } = first;
    return diagnostic("KMK0004", {
      message: `${CAUSES[reason](file)}: ${named(group)} stay${group.length === 1 ? "s" : ""} in force`,
      help: `put it back; if it is meant to go: kumiko accept-removals ${quote(file)}`,
      resource: refOf(resource),
      position: resource.locate([]),
    });
  });
}

const CAUSES: Readonly<Record<HeldReason, (file: string) => string>> = {
  gone: (file) => `${file} is gone`,
  empty: (file) => `${file} declares nothing any more`,
  unclear: (file) => `${file} has a document that can't be used, and others are missing`,
  together: (file) => `several that restrict vanished at once, out of ${file}`,
  many: (file) => `a large part of all resources vanished at once, out of ${file}`,
};

const NAMED = 3;

function named(held: readonly HeldRemoval[]): string {
  const names = held.slice(0, NAMED).map(({ resource }) => keyOf(resource));
  return held.length > NAMED ? `${names.join(", ")} and ${held.length - NAMED} more` : names.join(", ");
}

function keyOf(resource: LocatedResource): string {
  return formatRef(refOf(resource));
}
