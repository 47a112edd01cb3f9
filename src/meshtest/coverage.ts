import type { Outcome, Step } from "../evaluate/index.ts";
import type { Origin } from "../model/origin.ts";
import { formatPath, type SourcePosition } from "../model/position.ts";
import { formatDeclared } from "../model/resource.ts";
import type { ResourceType } from "../translate/index.ts";
import type { TestMesh } from "./test-mesh.ts";

export type CoverageKind = "route" | "policy rule" | "token rule" | "filter chain";

/** Something that decides about requests, as its declaration stands in a file. */
export interface CoverageItem {
  readonly kind: CoverageKind;
  /** `Kind/namespace/name spec.http[0]`. */
  readonly what: string;
  readonly position: SourcePosition;
  readonly isReached: boolean;
}

export interface Coverage {
  /** In order of file and line. */
  readonly items: readonly CoverageItem[];
  /** Share of the items that a call has reached, in percent; 100 where there is nothing to reach. */
  readonly percent: number;
}

/** What is there of itself (the way to a Service's own Pods) is no rule that somebody wrote to decide about requests. */
const UNDECIDING: ReadonlySet<string> = new Set(["Pod", "Service", "EndpointSlice", "WorkloadEntry"]);

/** Which parts of the declared configuration calls have reached: over all tests, by `file:line`. */
export class CoverageRecord {
  readonly #items = new Map<string, CoverageItem>();

  /** All that the proxies of a test were sent. */
  expectAll(mesh: TestMesh): void {
    for (const { snapshot } of mesh.sent())
      for (const [type, resources] of snapshot)
        for (const { origins } of resources.values())
          for (const [path, declared] of origins) this.#note(kindOf(type, path), declared, mesh, false);
  }

  /** What one call has reached on any of its ways. */
  reach(outcome: Outcome, mesh: TestMesh): void {
    for (const { resource, origins } of outcome.steps) {
      if (resource !== undefined) this.#note(kindOf(resource.type, resource.path), origins, mesh, true);
    }
  }

  result(): Coverage {
    const items = [...this.#items.values()].toSorted(
      (a, b) =>
        compare(a.position.file, b.position.file) ||
        a.position.line - b.position.line ||
        a.position.column - b.position.column ||
        compare(a.kind, b.kind),
    );
    const reached = items.filter(({ isReached }) => isReached).length;
    return { items, percent: items.length === 0 ? 100 : (100 * reached) / items.length };
  }

  #note(kind: CoverageKind | undefined, origins: Step["origins"], mesh: TestMesh, isReached: boolean): void {
    if (kind === undefined) return;
    for (const origin of origins) {
      const position = UNDECIDING.has(origin.ref.kind) ? undefined : mesh.locate(origin);
      if (position === undefined) continue;
      const what = describe(origin);
      const key = `${kind} ${what} ${position.file}:${position.line}:${position.column}`;
      const known = this.#items.get(key);
      if (known === undefined || (isReached && !known.isReached)) this.#items.set(key, { kind, what, position, isReached });
    }
  }
}

function kindOf(type: ResourceType, path: string): CoverageKind | undefined {
  if (type === "route") return /^virtualHosts\[\d+\]\.routes\[\d+\]$/.test(path) ? "route" : undefined;
  if (type === "listener") return /^filterChains\[\d+\]$/.test(path) || path === "defaultFilterChain" ? "filter chain" : undefined;
  if (type !== "extension") return undefined;
  return path.startsWith("rules.policies[") ? "policy rule" : path.startsWith("providers[") ? "token rule" : undefined;
}

function describe({ ref, path }: Origin): string {
  const within = formatPath(path);
  return within === "" ? formatDeclared(ref) : `${formatDeclared(ref)} ${within}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
