import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LoadedFile, loadTests } from "../meshtest/load.ts";

/** Files with MeshTests, by their names, as `kumiko test` reads them. */
export async function loadMeshTests(files: Readonly<Record<string, string>>): Promise<readonly LoadedFile[]> {
  const folder = mkdtempSync(join(tmpdir(), "kumiko-meshtest-"));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    return (await loadTests({ paths: ["."], cwd: folder })).files;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
