import { existsSync, readdirSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { quote } from "../base/shell.ts";
import { LAUNCH_FILE, readRunRecord, runFileIn, type RunRecord } from "../controlplane/config.ts";
import { isRunning } from "../controlplane/lifecycle.ts";
import { MeshError } from "../model/error.ts";
import type { GlobalOptions } from "./command.ts";
import type { Io } from "./io.ts";

export interface FoundMesh {
  readonly record: RunRecord;
  /** Its `.kumiko` folder. */
  readonly state: string;
}

/**
 * The mesh that was started in `--dir` (the current folder) or above it; else the only one of the folders just below, as in a clone. One that
 * runs goes before one that was killed and left its record.
 */
export function findMesh(folder: string): FoundMesh | undefined {
  let killed: FoundMesh | undefined;
  for (const above of ancestorsOf(folder)) {
    const own = meshIn(above);
    if (own !== undefined && isRunning(own.record)) return own;
    if (own === undefined && above !== resolve(folder)) continue;
    const running = meshesBelow(above).filter(({ record }) => isRunning(record));
    if (running.length === 1) return running[0];
    killed ??= own;
  }
  return killed ?? onlyOf(meshesBelow(folder));
}

/** The folder itself, and those that it lies in. */
export function ancestorsOf(folder: string): readonly string[] {
  const all = [resolve(folder)];
  for (let last = all[0] ?? "/"; last !== dirname(last); last = dirname(last)) all.push(dirname(last));
  return all;
}

/** The folders just below that a person works with. */
export function foldersIn(folder: string): readonly string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith(".") && entry.name !== "node_modules")
      .map(({ name }) => join(folder, name))
      .sort();
  } catch {
    return [];
  }
}

function meshesBelow(folder: string): readonly FoundMesh[] {
  return foldersIn(folder).flatMap((inside) => meshIn(inside) ?? []);
}

function meshIn(folder: string): FoundMesh | undefined {
  const file = runFileIn(folder);
  const record = readRunRecord(file);
  return record === undefined ? undefined : { record, state: dirname(file) };
}

export function onlyOf<Item>(items: readonly Item[]): Item | undefined {
  return items.length === 1 ? items[0] : undefined;
}

/** Folders with a kumiko.yaml at most two levels below: meshes of their own. */
export function declaredBelow(folder: string): readonly string[] {
  const below = foldersIn(folder);
  return [...below, ...below.flatMap(foldersIn)].filter(isDeclared);
}

export function isDeclared(folder: string): boolean {
  return existsSync(join(folder, LAUNCH_FILE));
}

/** What starts a mesh, as it would be typed in `cwd`: the one of a folder, of one above it, or one that it holds. */
export function howToStart(folder: string, cwd: string): string {
  const root = ancestorsOf(folder).find(isDeclared) ?? declaredBelow(folder)[0] ?? folder;
  const path = relative(cwd, root);
  return path === "" ? "kumiko up" : `kumiko up ${quote(path)}`;
}

/** As `findMesh`. @throws MeshError `network` where there is none. */
export function getMesh(options: Pick<GlobalOptions, "dir">, io: Io): FoundMesh {
  const folder = resolve(io.cwd, options.dir ?? ".");
  const found = findMesh(folder);
  if (found === undefined) {
    throw new MeshError("network", `no mesh is running in ${folder} or above it`, {
      help: `${howToStart(folder, io.cwd)}   (or name a running one with --dir DIR or --socket FILE)`,
    });
  }
  return found;
}
