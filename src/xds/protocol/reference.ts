import type { ResourceType } from "../../translate/envoy/resource.ts";
import type { Offers, Reference } from "./offer.ts";
import type { Held } from "./subscription.ts";

export interface Dangling {
  readonly from: Reference;
  readonly to: Reference;
}

/** What a resource of a type may name; an earlier stream's resource, of which we know the version only, may name all of these. */
const MAY_REFER_TO: Readonly<Record<ResourceType, readonly ResourceType[]>> = {
  cluster: ["endpoint", "secret"],
  endpoint: [],
  secret: [],
  extension: ["cluster", "secret"],
  listener: ["cluster", "secret", "extension", "route"],
  route: ["cluster", "extension"],
};

const found = new WeakMap<Offers, readonly Dangling[]>();

/**
 * References to what the snapshot doesn't hold. A snapshot with any must not leave: a proxy would answer 503 or 500 for what is whole today.
 * Secrets don't count: `default` and `ROOTCA` come from the agent, and one that a user has yet to declare keeps only its own listener closed.
 */
export function findDangling(snapshot: Offers): readonly Dangling[] {
  const known = found.get(snapshot);
  if (known !== undefined) return known;
  const dangling: Dangling[] = [];
  for (const [type, offer] of snapshot) {
    for (const { name, references } of offer.values()) {
      for (const to of references) {
        if (to.type !== "secret" && snapshot.get(to.type)?.has(to.name) !== true) dangling.push({ from: { type, name }, to });
      }
    }
  }
  found.set(snapshot, dangling);
  return dangling;
}

/** Everything that the held resources name; what it returns answers "may this be taken away?". */
export function collectReferences(held: Iterable<readonly [ResourceType, Iterable<Held>]>): (reference: Reference) => boolean {
  const names = new Set<string>();
  const anyOf = new Set<ResourceType>();
  for (const [type, resources] of held) {
    for (const { references } of resources) {
      if (references === undefined) for (const target of MAY_REFER_TO[type]) anyOf.add(target);
      else for (const to of references) names.add(`${to.type}/${to.name}`);
    }
  }
  return ({ type, name }) => anyOf.has(type) || names.has(`${type}/${name}`);
}
