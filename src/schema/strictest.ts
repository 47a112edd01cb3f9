import { stableHash } from "../base/stable-hash.ts";
import { BESIDE, type LocatedResource, type Resource } from "../model/resource.ts";
import { readDryRun } from "./dry-run.ts";
import { rulesOf } from "./kind/index.ts";

/**
 * What stands in for several resources of one name that differ, where none can be preferred: the first has their name, others, which have a
 * selector of their own, `name~2` and so on. Undefined for kinds that refuse nothing.
 */
export function strictestOf(resources: readonly LocatedResource[]): readonly LocatedResource[] | undefined {
  const { strictest } = rulesOf(resources[0]?.kind ?? "");
  const bodies = strictest?.(resources.map(({ body }) => body) as never);
  if (bodies === undefined) return undefined;
  // One on trial says nothing for another one that is in force, be they alike.
  const isOnTrial = (i: number) => readDryRun(resources[i]?.metadata.annotations ?? {}) === true;
  const different = new Map(bodies.map((body, i) => [stableHash([body, isOnTrial(i)]), { body, like: resources[i] }]));
  return [...different.values()].flatMap(({ body, like }, i) => {
    if (like === undefined) return [];
    const { apiVersion, kind, locate } = like;
    const metadata = { ...like.metadata, name: i === 0 ? like.metadata.name : `${like.metadata.name}${BESIDE}${i + 1}` };
    return Object.freeze({ apiVersion, kind, metadata, body, hash: stableHash({ apiVersion, kind, metadata, body }), locate });
  });
}

/** True for what `strictestOf` made beside the first: no file declares it under its name. */
export function isStandIn({ metadata }: Pick<Resource, "metadata">): boolean {
  return metadata.name.includes(BESIDE);
}
