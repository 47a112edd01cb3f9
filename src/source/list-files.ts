import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { diagnostic, type Diagnostic } from "../model/diagnostic.ts";
import { unreadable } from "./file-text.ts";
import { LIMITS } from "./limits.ts";

/** A file as it was found; `stamp` changes when its content may have. */
export interface FoundFile {
  readonly path: string;
  readonly stamp: string;
}

export interface Listing {
  /** In order: as the paths are given, then by name. */
  readonly files: readonly FoundFile[];
  /** All that must be watched to notice a change. */
  readonly folders: readonly string[];
  /** Given paths and folders in them that can't be read now: what was below them is not gone, only out of sight. */
  readonly outOfSight: readonly string[];
  readonly diagnostics: readonly Diagnostic[];
}

const OUR_SETTINGS = /^kumiko\.ya?ml$/i;
const KUSTOMIZATION = /^kustomization\.ya?ml$/i;
const READ = /\.(ya?ml|json)$/i;

/**
 * Every .yaml, .yml and .json file of the given files and folders. Hidden names, `node_modules` and symbolic links to folders are passed over;
 * a file that is given by its name is read whatever it is called.
 */
export async function listFiles(paths: readonly string[]): Promise<Listing> {
  const listing = { files: [] as FoundFile[], folders: new Set<string>(), outOfSight: [] as string[], diagnostics: [] as Diagnostic[] };
  const seen = new Set<string>();
  const add = (file: FoundFile) => {
    if (seen.has(file.path)) return;
    seen.add(file.path);
    listing.files.push(file);
  };
  for (const path of paths) {
    try {
      const found = await stat(path);
      if (found.isDirectory()) await walk(path, 0, { ...listing, add });
      else {
        listing.folders.add(dirname(path));
        add({ path, stamp: stampOf(found) });
      }
    } catch (error) {
      listing.folders.add(dirname(path));
      listing.outOfSight.push(path);
      listing.diagnostics.push(unreadable(path, error));
    }
  }
  const tooMany = listing.files[LIMITS.files];
  if (tooMany !== undefined) {
    const message = `more than ${LIMITS.files} files: ${tooMany.path} and those after it are not read`;
    listing.diagnostics.push(
      diagnostic("KMK0003", {
        message,
        help: "name the folders that hold resources",
        position: { file: tooMany.path, line: 1, column: 1 },
      }),
    );
  }
  return { ...listing, files: listing.files.slice(0, LIMITS.files), folders: [...listing.folders] };
}

interface Walk {
  readonly folders: Set<string>;
  readonly outOfSight: string[];
  readonly diagnostics: Diagnostic[];
  readonly files: readonly FoundFile[];
  readonly add: (file: FoundFile) => void;
}

async function walk(folder: string, depth: number, listing: Walk): Promise<void> {
  if (depth > LIMITS.folderDepth || listing.files.length > LIMITS.files) return;
  listing.folders.add(folder);
  let entries: Dirent[];
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (error) {
    listing.outOfSight.push(folder);
    return void listing.diagnostics.push(unreadable(folder, error));
  }
  for (const entry of entries.toSorted((one, other) => (one.name < other.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.name.startsWith(".") || entry.name === "node_modules") continue;
    if (entry.isDirectory()) await walk(path, depth + 1, listing);
    else if (KUSTOMIZATION.test(entry.name)) listing.diagnostics.push(notApplied(path));
    else if (READ.test(entry.name) && !OUR_SETTINGS.test(entry.name)) await addFile(path, listing);
  }
}

/** Its patches and name prefixes would change what the files beside it say: those are read as they are. */
function notApplied(file: string): Diagnostic {
  const message = "kustomizations are not applied: the files beside it are read as they are";
  return {
    ...diagnostic("KMK1004", { message, help: "read the output of kubectl kustomize instead", position: { file, line: 1, column: 1 } }),
    severity: "info",
  };
}

async function addFile(path: string, listing: Walk): Promise<void> {
  try {
    const found = await stat(path);
    if (found.isFile()) listing.add({ path, stamp: stampOf(found) });
    else if (!found.isDirectory()) hide(path, { code: "SPECIAL" }, listing);
  } catch (error) {
    // Gone since it was listed: as if it had not been.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    hide(path, error, listing);
  }
}

/** What stood there is out of sight, not gone, and that is said. */
function hide(path: string, error: unknown, { outOfSight, diagnostics }: Pick<Walk, "outOfSight" | "diagnostics">): void {
  outOfSight.push(path);
  diagnostics.push(unreadable(path, error));
}

function stampOf({ mtimeMs, ctimeMs, size, ino }: { mtimeMs: number; ctimeMs: number; size: number; ino: number }): string {
  return `${mtimeMs} ${ctimeMs} ${size} ${ino}`;
}
