import { diagnostic, type Diagnostic } from "../model/diagnostic.ts";
import { formatPosition } from "../model/position.ts";
import { formatRef, refOf, type LocatedResource } from "../model/resource.ts";
import { strictestOf } from "../schema/index.ts";

export interface Declared {
  readonly resources: readonly LocatedResource[];
  readonly diagnostics: readonly Diagnostic[];
}

/** Names that several declarations claim, with the version that was in force when the second one came; undefined where none was. */
export type Contested = ReadonlyMap<string, LocatedResource | undefined>;

export interface Merged extends Declared {
  readonly contested: Contested;
}

/** What was in force before, by `formatRef`. */
export interface InForce {
  readonly resources: ReadonlyMap<string, LocatedResource>;
  readonly contested: Contested;
}

/**
 * One resource for each name. Where several declare it the version in force stays; where none is in force, for what restricts the strictest of
 * all of them counts, for other kinds the first. An error (KMK0005) stands at each of them.
 */
export function mergeDeclared(parts: Iterable<Declared>, before?: InForce): Merged {
  const byRef = new Map<string, LocatedResource[]>();
  const diagnostics: Diagnostic[] = [];
  for (const part of parts) {
    diagnostics.push(...part.diagnostics);
    for (const resource of part.resources) {
      const key = formatRef(refOf(resource));
      const declared = byRef.get(key);
      if (declared === undefined) byRef.set(key, [resource]);
      else declared.push(resource);
    }
  }
  const contested = new Map<string, LocatedResource | undefined>();
  const resources = [...byRef].flatMap(([key, declared]) => {
    if (declared.length === 1) return declared;
    const known = before?.contested.has(key) === true ? before.contested.get(key) : before?.resources.get(key);
    const inForce = declared.find(({ hash }) => hash === known?.hash) ?? known;
    contested.set(key, inForce);
    const choice = inForce === undefined ? chooseAmong(declared) : { used: [inForce], because: "the version that was in force stays" };
    diagnostics.push(...declared.map((one) => declaredTwice(one, declared, choice)));
    return choice.used;
  });
  return { resources, diagnostics, contested };
}

interface Choice {
  readonly used: readonly LocatedResource[];
  /** Said where none of the declarations is used as it stands. */
  readonly because: string;
}

function chooseAmong(declared: readonly LocatedResource[]): Choice {
  const areEqual = declared.every(({ hash }) => hash === declared[0]?.hash);
  const strictest = areEqual ? undefined : strictestOf(declared);
  return { used: strictest ?? declared.slice(0, 1), because: "what one of them refuses is refused, and neither allows anything" };
}

function declaredTwice(one: LocatedResource, declared: readonly LocatedResource[], { used, because }: Choice): Diagnostic {
  const others = declared.filter((other) => other !== one);
  const winner = declared.find((other) => used.includes(other));
  const outcome = winner === undefined ? because : winner === one ? "this one is used" : `${placeOf(winner)} is used, this one is not`;
  return diagnostic("KMK0005", {
    message: `${formatRef(refOf(one))} is declared twice, in ${others.map(placeOf).join(", ")} too: ${outcome}`,
    help: "remove one of them",
    resource: refOf(one),
    position: one.locate(["metadata", "name"]),
    related: others.map((other) => ({ message: `declared at ${placeOf(other)} too`, resource: refOf(other) })),
  });
}

function placeOf(resource: LocatedResource): string {
  return formatPosition(resource.locate(["metadata", "name"]));
}
