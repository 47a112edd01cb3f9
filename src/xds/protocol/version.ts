import { createHash } from "node:crypto";
import type { Offer, Offered } from "./offer.ts";

const memo = new WeakMap<Offer, string>();

/** One version for all resources of a type: the hash of their names and versions, in whatever order they stand. */
export function versionOf(offer: Offer): string {
  let version = memo.get(offer);
  if (version === undefined) {
    version = hashVersions(offer.values());
    memo.set(offer, version);
  }
  return version;
}

export function hashVersions(resources: Iterable<Offered>): string {
  const lines: string[] = [];
  for (const { name, version } of resources) lines.push(JSON.stringify([name, version]));
  const hash = createHash("sha256");
  for (const line of lines.toSorted()) hash.update(line);
  return hash.digest("hex").slice(0, 32);
}
