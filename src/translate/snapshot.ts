import type { EnvoyResource, ResourceType, Snapshot } from "./envoy/resource.ts";

const TYPES: readonly ResourceType[] = ["cluster", "endpoint", "secret", "extension", "listener", "route"];

/** By type and name, in the order in which types are sent. The last of two with one name stays. */
export function toSnapshot(resources: Iterable<EnvoyResource>): Snapshot {
  const snapshot = new Map<ResourceType, Map<string, EnvoyResource>>(TYPES.map((type) => [type, new Map()]));
  for (const resource of resources) snapshot.get(resource.type)?.set(resource.name, resource);
  return snapshot;
}

export interface DanglingReference {
  readonly from: { readonly type: ResourceType; readonly name: string };
  readonly to: { readonly type: ResourceType; readonly name: string };
}

/** Names that resources of a snapshot ask for and that aren't in it. None may leave but secrets, which a user may yet declare. */
export function findDanglingReferences(snapshot: Snapshot): readonly DanglingReference[] {
  const dangling: DanglingReference[] = [];
  for (const resources of snapshot.values()) {
    for (const { type, name, references } of resources.values()) {
      for (const to of references) if (!(snapshot.get(to.type)?.has(to.name) ?? false)) dangling.push({ from: { type, name }, to });
    }
  }
  return dangling;
}
