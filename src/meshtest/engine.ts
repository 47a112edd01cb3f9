import type { Decision } from "../evaluate/index.ts";
import type { Call } from "./document.ts";
import type { LoadedTest } from "./load.ts";
import type { WorkloadNames } from "./names.ts";
import type { TestMesh } from "./test-mesh.ts";

export type EngineName = "evaluator" | "real";

/** A test that is ready to run: its mesh is made, its names are checked. */
export interface PreparedTest {
  readonly loaded: LoadedTest;
  readonly mesh: TestMesh;
  readonly names: WorkloadNames;
  /** Those that were chosen, in the order written. */
  readonly calls: readonly Call[];
}

/** What an engine says of one call: how its requests end, or why it could not find out. */
export type Answer = { readonly decision: Decision } | { readonly failure: string };

/** Says what a mesh does with the calls of a test. */
export interface Engine {
  readonly name: EngineName;
  /** One answer for each call, in order. @throws MeshError where the mesh can't be had at all. */
  decide(test: PreparedTest): Promise<readonly Answer[]>;
}
