import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { quote } from "../base/shell.ts";
import { diagnostic, type Diagnostic } from "../model/diagnostic.ts";
import { formatPosition, type SourcePosition } from "../model/position.ts";
import { type ResourcePath, splitResourcePath } from "../model/resource-path.ts";
import { unreadable } from "./file-text.ts";
import { chartOf, findPatches, KUSTOMIZATION } from "./kustomization.ts";
import { LIMITS } from "./limits.ts";

/** A file, and the namespace that its path is given for. */
export interface FileName {
  readonly path: string;
  /** Of its documents that name none, where the path says so. */
  readonly namespace?: string;
}

/** A file as it was found; `stamp` changes when its content may have. */
export interface FoundFile extends FileName {
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
const CHART = "Chart.yaml";
const READ = /\.(ya?ml|json)$/i;

/** What the kustomizations of an earlier listing named, so that only those that changed are read again. */
export type KnownPatches = Map<string, { readonly stamp: string; readonly patches: ReadonlyMap<string, SourcePosition> }>;

/**
 * Every .yaml, .yml and .json file of the given files and folders. Hidden names, `node_modules` and symbolic links to folders are passed over,
 * and what only looks like a resource: patches that a kustomization names, templates of a Helm chart. A file that is given by its name is read
 * whatever it is called.
 */
export async function listFiles(paths: readonly ResourcePath[], known: KnownPatches = new Map()): Promise<Listing> {
  const listing: Found = {
    files: [],
    folders: new Set(),
    outOfSight: [],
    diagnostics: [],
    kustomizations: [],
    charts: new Set(),
    named: new Set(),
  };
  const seen = new Set<string>();
  for (const given of paths) {
    const { path, ...placed } = splitResourcePath(given);
    const add = (found: FoundFile) => {
      const file = { ...found, ...placed };
      const key = fileKey(file);
      if (seen.has(key)) return;
      seen.add(key);
      listing.files.push(file);
    };
    try {
      const found = await stat(path);
      if (found.isDirectory()) await walk(path, 0, { ...listing, add });
      else {
        listing.folders.add(dirname(path));
        listing.named.add(path);
        add({ path, stamp: stampOf(found) });
      }
    } catch (error) {
      listing.folders.add(dirname(path));
      hide(path, error, listing);
    }
  }
  await passOver(listing, known);
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
  const { files, folders, outOfSight, diagnostics } = listing;
  return { files: files.slice(0, LIMITS.files), folders: [...folders], outOfSight, diagnostics };
}

/** A file that is read for two namespaces is two. */
export function fileKey({ path, namespace = "" }: FileName): string {
  return `${namespace}\0${path}`;
}

interface Found {
  files: FoundFile[];
  readonly folders: Set<string>;
  readonly outOfSight: string[];
  readonly diagnostics: Diagnostic[];
  readonly kustomizations: FoundFile[];
  /** Folders of Helm charts. */
  readonly charts: Set<string>;
  /** Files that were given by their names. */
  readonly named: Set<string>;
}

type Walk = Omit<Found, "named"> & { readonly add: (file: FoundFile) => void };

/** Takes away what is no resource by itself, and says so once for each patch and each chart. */
async function passOver(listing: Found, known: KnownPatches): Promise<void> {
  const patches = new Map<string, SourcePosition>();
  for (const { path, stamp } of listing.kustomizations) {
    const before = known.get(path);
    const found = before?.stamp === stamp ? before.patches : await findPatches(path);
    known.set(path, { stamp, patches: found });
    for (const [patch, namedAt] of found) patches.set(patch, namedAt);
  }
  const templates = new Map<string, Set<string>>();
  const found = new Map<string, SourcePosition>();
  listing.files = listing.files.filter(({ path }) => {
    if (listing.named.has(path)) return true;
    const chart = chartOf(path, listing.charts);
    if (chart !== undefined) return void templates.set(chart, (templates.get(chart) ?? new Set()).add(path));
    const namedAt = patches.get(resolve(path));
    if (namedAt !== undefined) found.set(path, namedAt);
    return namedAt === undefined;
  });
  for (const [path, namedAt] of found) listing.diagnostics.push(isPatch(path, namedAt));
  for (const [chart, { size }] of templates) listing.diagnostics.push(notRendered(chart, size));
}

function isPatch(file: string, namedAt: SourcePosition): Diagnostic {
  const message = `a patch, which ${formatPosition(namedAt)} names, and no resource: it changes nothing here`;
  const help = `read what it makes: kubectl kustomize ${quote(dirname(namedAt.file))} > FILE.yaml`;
  return diagnostic("KMK1004", { message, help, position: { file, line: 1, column: 1 } });
}

function notRendered(chart: string, count: number): Diagnostic {
  const message = `a Helm chart: its ${count === 1 ? "template is" : `${count} templates are`} not rendered, and not read`;
  const help = `read what it makes: helm template ${quote(chart)} > FILE.yaml`;
  return diagnostic("KMK1004", { message, help, position: { file: join(chart, CHART), line: 1, column: 1 } });
}

async function walk(folder: string, depth: number, listing: Walk): Promise<void> {
  if (depth > LIMITS.folderDepth || listing.files.length > LIMITS.files) return;
  listing.folders.add(folder);
  let entries: Dirent[];
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (error) {
    return hide(folder, error, listing);
  }
  for (const entry of entries.toSorted((one, other) => (one.name < other.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.name.startsWith(".") || entry.name === "node_modules") continue;
    if (entry.isDirectory()) await walk(path, depth + 1, listing);
    else if (KUSTOMIZATION.test(entry.name)) await addKustomization(path, listing);
    else if (entry.name === CHART) listing.charts.add(folder);
    else if (READ.test(entry.name) && !OUR_SETTINGS.test(entry.name)) await addFile(path, listing);
  }
}

/** Its patches and name prefixes would change what the files beside it say: those are read as they are. */
function notApplied(file: string): Diagnostic {
  const message = "kustomizations are not applied: the files beside it are read as they are";
  const help = `read what it makes: kubectl kustomize ${quote(dirname(file))} > FILE.yaml`;
  return {
    ...diagnostic("KMK1004", { message, help, position: { file, line: 1, column: 1 } }),
    severity: "info",
  };
}

async function addKustomization(path: string, listing: Walk): Promise<void> {
  const found = await statFile(path, listing);
  if (found === undefined) return;
  listing.kustomizations.push(found);
  listing.diagnostics.push(notApplied(path));
}

async function addFile(path: string, listing: Walk): Promise<void> {
  const found = await statFile(path, listing);
  if (found !== undefined) listing.add(found);
}

async function statFile(path: string, listing: Walk): Promise<FoundFile | undefined> {
  try {
    const found = await stat(path);
    if (found.isFile()) return { path, stamp: stampOf(found) };
    if (!found.isDirectory()) hide(path, { code: "SPECIAL" }, listing);
  } catch (error) {
    // Gone since it was listed: as if it had not been.
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") hide(path, error, listing);
  }
  return undefined;
}

/** What stood there is out of sight, not gone, and that is said. */
function hide(path: string, error: unknown, { outOfSight, diagnostics }: Pick<Walk, "outOfSight" | "diagnostics">): void {
  outOfSight.push(path);
  diagnostics.push(unreadable(path, error));
}

function stampOf({ mtimeMs, ctimeMs, size, ino }: { mtimeMs: number; ctimeMs: number; size: number; ino: number }): string {
  return `${mtimeMs} ${ctimeMs} ${size} ${ino}`;
}
