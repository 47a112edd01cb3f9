import fc from "fast-check";
import { MeshError } from "../../src/model/error.ts";
import type { Difference } from "./compare.ts";
import type { FuzzCase } from "./document.ts";
import type { FuzzLab } from "./fuzz-lab.ts";
import { Histogram } from "./histogram.ts";
import { cases } from "./mesh.ts";
import { classOf } from "./verdict-class.ts";

const CALLS_PER_MESH = 25;

export interface RunOptions {
  readonly seed: number;
  /** Whether another mesh is to be asked about; `pairs`: how many calls were judged so far. */
  goesOn(pairs: number): boolean;
  /** Told of each disagreement at once. */
  onDisagreement?(found: Disagreement): void;
}

/** A case with the one call on which both don't agree. */
export interface Disagreement {
  readonly found: FuzzCase;
  /** That of the mesh: with it as the seed the mesh comes first. */
  readonly seed: number;
  /** Absent where the mesh itself was refused. */
  readonly call: number | undefined;
  readonly differences: readonly Difference[];
}

export interface RunResult {
  readonly meshes: number;
  /** Calls that both engines judged. */
  readonly pairs: number;
  readonly skips: ReadonlyMap<string, number>;
  readonly histogram: Histogram;
  readonly disagreements: readonly Disagreement[];
  /** They agreed only when asked again. */
  readonly unsteady: readonly Disagreement[];
}

/** Makes one mesh after another, and asks both engines about each of its calls. */
export async function runFuzz(lab: FuzzLab, { seed, goesOn, onDisagreement }: RunOptions): Promise<RunResult> {
  const histogram = new Histogram();
  const skips = new Map<string, number>();
  const disagreements: Disagreement[] = [];
  const unsteady: Disagreement[] = [];
  let [meshes, pairs] = [0, 0];
  while (goesOn(pairs)) {
    const meshSeed = seed + meshes++;
    const [found] = fc.sample(cases(CALLS_PER_MESH), { seed: meshSeed, numRuns: 1 });
    const [read] = found === undefined ? [] : await lab.read([found]);
    if (found === undefined || read === undefined) throw new MeshError("bug", "no mesh was made");
    const refusal = await lab.serve(read);
    if (refusal !== undefined) {
      disagreements.push({ found, seed: meshSeed, call: undefined, differences: [refusal] });
      onDisagreement?.({ found, seed: meshSeed, call: undefined, differences: [refusal] });
      continue;
    }
    for (const [call, asked] of read.calls.entries()) {
      const verdict = await lab.ask(asked, read);
      if (verdict.kind === "skipped") {
        skips.set(verdict.reason, (skips.get(verdict.reason) ?? 0) + 1);
        continue;
      }
      pairs++;
      const disagreement = (differences: readonly Difference[]): Disagreement => ({
        found: { ...found, calls: found.calls.slice(call, call + 1) },
        seed: meshSeed,
        call,
        differences,
      });
      histogram.add(classOf(verdict.evaluated, read.mesh));
      if (verdict.kind === "agreed" && verdict.unsteady !== undefined) unsteady.push(disagreement(verdict.unsteady));
      if (verdict.kind === "agreed") continue;
      disagreements.push(disagreement(verdict.differences));
      onDisagreement?.(disagreement(verdict.differences));
    }
  }
  return { meshes, pairs, skips, histogram, disagreements, unsteady };
}
