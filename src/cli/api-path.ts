import type { Kind } from "../schema/kinds.ts";

/** The API's path of a kind, or of one resource. `namespace` undefined means all; it is left out for kinds that belong to none. */
export function apiPath(kind: Kind, version: string, namespace: string | undefined, name?: string): string {
  const group = kind.group === "" ? `/api/${version}` : `/apis/${kind.group}/${version}`;
  const within = kind.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : "";
  return `${group}${within}/${kind.plural}${name === undefined ? "" : `/${encodeURIComponent(name)}`}`;
}

export function preferredVersion(kind: Kind): string {
  return kind.versions[0] ?? "v1";
}
