import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Decision } from "../../src/evaluate/index.ts";
import type { PreparedTest } from "../../src/meshtest/engine.ts";
import { createEvaluator } from "../../src/meshtest/evaluator-engine.ts";
import { TestIssuers } from "../../src/meshtest/issuers.ts";
import { loadTests } from "../../src/meshtest/load.ts";
import { WorkloadNames } from "../../src/meshtest/names.ts";
import { type SharedByMeshes, TestMesh } from "../../src/meshtest/test-mesh.ts";
import { type FuzzCase, toYaml } from "./document.ts";

export const issuers = new TestIssuers();

/** One generated case as `kumiko test` reads it. */
export type ReadCase = PreparedTest;

/** Reads cases by way of a file each, as a person's are. @throws where one is no right MeshTest: the generator's mistake. */
export async function readCases(cases: readonly FuzzCase[], shared: SharedByMeshes = {}): Promise<readonly ReadCase[]> {
  const folder = await mkdtemp(join(tmpdir(), "kumiko-fuzz-"));
  try {
    const paths = cases.map((_, i) => join(folder, `mesh-${String(i).padStart(6, "0")}.yaml`));
    for (const [i, path] of paths.entries()) await writeFile(path, toYaml(cases[i] as FuzzCase, `generated-${i}`));
    const { files } = await loadTests({ paths, cwd: folder });
    return files.map(({ tests, errors }, i) => {
      const [loaded] = tests;
      const [error] = errors;
      if (loaded === undefined) throw new Error(`generated mesh ${i}: line ${error?.line}: ${error?.message}`);
      const mesh = new TestMesh(loaded, issuers, shared);
      return { loaded, mesh, names: new WorkloadNames(mesh.workloads, loaded.test.namespace), calls: loaded.test.calls };
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What the evaluator says of each call. @throws where it fails at one. */
export async function decisionsOf(read: ReadCase, nowMs: number): Promise<readonly Decision[]> {
  const answers = await createEvaluator({ issuers, nowMs }).decide(read);
  return answers.map((answer) => {
    if ("failure" in answer) throw new Error(answer.failure);
    return answer.decision;
  });
}
