import { didYouMean } from "../base/did-you-mean.ts";
import type { Severity } from "../model/diagnostic.ts";
import { apiVersionOf, kinds, splitApiVersion } from "./kinds.ts";
import { findOtherKind, isOtherGroup, type OtherKind, otherKindsOf, wordings } from "./other-kinds.ts";
import { quote } from "./shape.ts";

export interface Explained {
  readonly message: string;
  readonly help?: string;
  readonly severity: Severity;
}

/**
 * What to say of a document whose kind is not read: what it promises and so what is missing, else what was meant. Advice stays within the
 * document's own group: the same kind in another group is another kind.
 */
export function explainUnknownKind(apiVersion: string, kind: string): Explained {
  const [group] = splitApiVersion(apiVersion);
  const named = `kind ${quote(kind)} of ${quote(apiVersion)}`;
  if (group === "kumiko.dev" && kind === "MeshTest")
    return { message: "a MeshTest is no part of the mesh, and is skipped", help: "run it: kumiko test", severity: "info" };
  const other = findOtherKind(group, kind);
  if (other !== undefined) return explainOther(named, other);
  const message = `${named} is not known, and is skipped`;
  const help = suggest(group, kind);
  return { message, ...(help !== undefined && { help }), severity: "warning" };
}

function explainOther(named: string, { promised, ...own }: OtherKind): Explained {
  const wording = { ...wordings[promised], ...own };
  const { severity, missing, help } = wording;
  if (missing === undefined) return { message: `${named} has an effect on Kubernetes only, and is skipped`, severity };
  return { message: `${named} is not read, and is skipped: ${missing}`, ...(help !== undefined && { help }), severity };
}

function suggest(group: string, kind: string): string | undefined {
  const family = familyOf(group);
  const sameKind = kinds.find((known) => known.kind === kind && familyOf(known.group) === family);
  if (sameKind !== undefined) return `write apiVersion: ${versionsOf(sameKind).join(" or ")}`;
  const ofGroup = kinds.filter((known) => known.group === group).map((known) => known.kind);
  const meant = didYouMean(kind, [...ofGroup, ...otherKindsOf(group)]);
  if (meant !== undefined) return `did you mean ${meant}?`;
  if (ofGroup.length > 0 || isOtherGroup(group)) return undefined;
  const near = kinds.find((known) => known.kind === kind && known.group.includes(".") && didYouMean(group, [known.group]) !== undefined);
  return near === undefined ? undefined : `did you mean apiVersion: ${apiVersionOf(near)}?`;
}

/** Groups of one project that share no kind: there a kind's name says which group was meant. */
function familyOf(group: string): string {
  if (group.endsWith(".istio.io")) return "istio.io";
  return ["", "apps", "batch", "extensions"].includes(group) ? "kubernetes" : group;
}

function versionsOf({ group, versions }: (typeof kinds)[number]): readonly string[] {
  return versions.map((version) => (group === "" ? version : `${group}/${version}`));
}
