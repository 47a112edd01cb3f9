import type { Origin } from "../model/origin.ts";
import { formatPosition, type SourcePosition } from "../model/position.ts";
import { formatDeclared } from "../model/resource.ts";
import type { EnvoyResource } from "../translate/envoy/resource.ts";

export interface Source {
  /** `VirtualService/shop/reviews`; empty for what no resource asked for. */
  readonly resource: string;
  /** `file:line`; empty where the resource is gone or came from no file. */
  readonly source: string;
}

export type Locate = (origin: Origin) => SourcePosition | undefined;

/**
 * What a node of a generated resource came from: the origin of the nearest node above it that has one (`virtualHosts[0].routes[2]`, then
 * `virtualHosts[0]`, then the whole); the first of several, which is the most specific.
 */
export function sourceOf(resource: EnvoyResource, path: string, locate: Locate): Source {
  for (let at = path; ; at = parentOf(at)) {
    const origin = resource.origins.get(at)?.[0];
    if (origin !== undefined) {
      const position = locate(origin);
      return { resource: formatDeclared(origin.ref), source: position === undefined ? "" : formatPosition(position) };
    }
    if (at === "") return { resource: "", source: "" };
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("."), path.lastIndexOf("["), 0));
}
