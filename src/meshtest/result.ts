import type { Outcome, Step } from "../evaluate/index.ts";
import type { Diagnostic } from "../model/diagnostic.ts";
import { formatPosition, type SourcePosition } from "../model/position.ts";
import { formatDeclared } from "../model/resource.ts";
import type { EngineName } from "./engine.ts";
import type { Coverage } from "./coverage.ts";
import type { FileError } from "./file-error.ts";
import { describeOutcome, type Mismatch } from "./judge.ts";
import type { Mutation } from "./mutate/mutate.ts";
import type { TestMesh } from "./test-mesh.ts";

/** One step of a request's way, for people and programs. */
export interface PathStep {
  readonly proxy: string;
  readonly what: string;
  readonly detail: string;
  /** The generated resource, with the path in it: `route/8080 virtualHosts[0].routes[1]`. */
  readonly generated?: string;
  /** What it came from: `Kind/namespace/name`. */
  readonly resource?: string;
  /** `file:line` of it. */
  readonly at?: string;
}

export interface Reason {
  readonly resource: string;
  readonly at?: string;
}

export interface CallResult {
  readonly position: SourcePosition;
  readonly test: string;
  readonly name: string;
  /** Whose verdict it is; of both, the real one's, unless only the evaluator has something to say. */
  readonly engine: EngineName;
  /** The other one of both could not judge it. */
  readonly isAlone?: boolean;
  readonly verdict: "pass" | "fail" | "skip";
  /** Why it failed or was skipped, in one line; empty for a pass. */
  readonly reason: string;
  readonly mismatches: readonly Mismatch[];
  /** What happened, in a few words. */
  readonly happened: string;
  readonly because: readonly Reason[];
  readonly path: readonly PathStep[];
}

export interface Totals {
  readonly pass: number;
  readonly fail: number;
  readonly skip: number;
  readonly errors: number;
  /** Where both engines were asked: the calls, passed or failed, that one of them could not judge. */
  readonly alone?: number;
}

export interface TestRun {
  readonly calls: readonly CallResult[];
  readonly errors: readonly FileError[];
  /** What the mesh says of the resources, but for what the tests expect. */
  readonly diagnostics: readonly Diagnostic[];
  readonly totals: Totals;
  readonly coverage: Coverage;
  /** Where changes of the resources were tried. */
  readonly mutation?: Mutation;
}

/** 2: a file can't be used; 1: a call failed; 3: none failed, but some could not be judged; else 0. */
export function exitCodeOf({ totals }: Pick<TestRun, "totals">): 0 | 1 | 2 | 3 {
  if (totals.errors > 0) return 2;
  if (totals.fail > 0) return 1;
  return totals.skip > 0 ? 3 : 0;
}

export function pathOf(outcome: Outcome, mesh: TestMesh): readonly PathStep[] {
  return outcome.steps.map((step) => toPathStep(step, mesh));
}

function toPathStep({ what, proxy, resource, origins, detail }: Step, mesh: TestMesh): PathStep {
  const declared = origins.find(({ ref }) => ref.kind !== "Pod");
  const position = declared && mesh.locate(declared);
  return {
    proxy,
    what,
    detail,
    ...(resource && { generated: `${resource.type}/${resource.name}${resource.path === "" ? "" : ` ${resource.path}`}` }),
    ...(declared && { resource: formatDeclared(declared.ref) }),
    ...(position && { at: formatPosition(position) }),
  };
}

export function reasonsOf(outcome: Outcome, mesh: TestMesh): readonly Reason[] {
  return outcome.because.map((reason) => {
    if (typeof reason === "string") return { resource: reason };
    const position = mesh.locate(reason);
    return { resource: formatDeclared(reason.ref), ...(position && { at: formatPosition(position) }) };
  });
}

export function describeMismatches(mismatches: readonly Mismatch[]): string {
  return mismatches.map(({ field, expected, happened }) => `${field}: expected ${expected}, got ${happened}`).join("; ");
}

export { describeOutcome };
