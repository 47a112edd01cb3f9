import { readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { findRun, type RunRecord } from "../controlplane/config.ts";
import { MeshError } from "../model/error.ts";
import type { GlobalOptions } from "./command.ts";
import type { Io } from "./io.ts";

export interface FoundMesh {
  readonly record: RunRecord;
  /** Its `.kumiko` folder. */
  readonly state: string;
}

/** The mesh that was started in `--dir` (the current folder) or above it; else the only one of the folders just below, as in a clone. */
export function findMesh(folder: string): FoundMesh | undefined {
  const found = findRun(folder);
  if (found !== undefined) return { record: found.record, state: dirname(found.file) };
  const below = foldersIn(folder).flatMap((name) => {
    const inside = join(folder, name);
    const run = findRun(inside);
    return run !== undefined && run.file.startsWith(join(inside, ".kumiko")) ? [{ record: run.record, state: dirname(run.file) }] : [];
  });
  return below.length === 1 ? below[0] : undefined;
}

function foldersIn(folder: string): readonly string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith(".") && entry.name !== "node_modules")
      .map(({ name }) => name);
  } catch {
    return [];
  }
}

/** As `findMesh`. @throws MeshError `network` where there is none. */
export function getMesh(options: Pick<GlobalOptions, "dir">, io: Io): FoundMesh {
  const folder = resolve(io.cwd, options.dir ?? ".");
  const found = findMesh(folder);
  if (found === undefined) {
    throw new MeshError("network", `no mesh is running in ${folder} or above it`, {
      help: "kumiko up   (or name one with --dir DIR or --socket FILE)",
    });
  }
  return found;
}
