import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { quote } from "../base/shell.ts";
import { diagnostic, type Diagnostic } from "../model/diagnostic.ts";
import { type PlacedPath, type ResourcePath, splitResourcePath } from "../model/resource-path.ts";
import { unreadable } from "./file-text.ts";
import { CHART, findChart, isOfChart, renderChart } from "./helm.ts";
import { chooseKustomizations, type Taken } from "./kustomize/choose.ts";
import { findRenderer } from "./kustomize/outside.ts";
import { isKustomization } from "./kustomize/named-files.ts";
import { render } from "./kustomize/render.ts";
import type { KnownLayers } from "./kustomize/tree.ts";
import { LIMITS } from "./limits.ts";
import type { Rendering } from "./rendering.ts";
import { stampOf } from "./stamp.ts";

/** A file, and the namespace that its path is given for. */
export interface FileName {
  readonly path: string;
  /** Of its documents that name none, where the path says so. */
  readonly namespace?: string;
  /** With which a chart is rendered: one chart may stand for several workloads. */
  readonly values?: string;
}

/** A file as it was found; `stamp` changes when its content may have. */
export interface FoundFile extends FileName {
  readonly stamp: string;
  /** It was given by its name, and is read whatever else takes it in. */
  readonly isNamed?: true;
  /** It is a kustomization or a chart, and stands for what is rendered out of it. */
  readonly render?: () => Promise<Rendering>;
}

export interface Listing {
  /** In order: as the paths are given, then by name. */
  readonly files: readonly FoundFile[];
  /** All that must be watched to notice a change. */
  readonly folders: readonly string[];
  /** Given paths and folders in them that can't be read now: what was below them is not gone, only out of sight. */
  readonly outOfSight: readonly string[];
  /** Absolute paths of kustomizations, and of folders with one, of which nobody can say what is meant: what they declared before stays. */
  readonly unclear: readonly string[];
  readonly taken: Taken;
  readonly diagnostics: readonly Diagnostic[];
}

const OUR_SETTINGS = /^kumiko\.ya?ml$/i;
const READ = /\.(ya?ml|json)$/i;

/**
 * Every .yaml, .yml and .json file of the given files and folders; a kustomization stands for what it takes in. Hidden names, `node_modules` and
 * symbolic links to folders are passed over, and templates of a Helm chart. A file that is given by its name is read whatever it is called.
 */
export async function listFiles(paths: readonly ResourcePath[], known: KnownLayers = new Map()): Promise<Listing> {
  const listing: Found = {
    files: [],
    folders: new Set(),
    outOfSight: [],
    unclear: [],
    taken: { folders: [], files: [] },
    diagnostics: [],
    charts: new Set(),
    named: new Set(),
    owners: [],
  };
  const seen = new Set<string>();
  for (const given of paths) {
    const { path, namespace } = splitResourcePath(given);
    const add = (found: FoundFile) => {
      const file = { ...found, ...(namespace !== undefined && { namespace }) };
      const key = fileKey(file);
      if (seen.has(key)) return;
      seen.add(key);
      listing.files.push(file);
    };
    try {
      const found = await stat(path);
      const walking: Walk = { ...listing, add, kustomizations: [] };
      if (found.isDirectory()) await walk(path, 0, walking);
      else addGiven(path, stampOf(found), walking, listing.named);
      await addRendered(splitResourcePath(given), walking, known);
    } catch (error) {
      listing.folders.add(dirname(path));
      hide(path, error, listing);
    }
  }
  passOver(listing);
  const tooMany = listing.files[LIMITS.files];
  if (tooMany !== undefined) listing.diagnostics.push(notAll(tooMany));
  const { files, folders, outOfSight, unclear, taken, diagnostics } = listing;
  return { files: files.slice(0, LIMITS.files), folders: [...folders], outOfSight, unclear, taken, diagnostics };
}

function notAll({ path }: FoundFile): Diagnostic {
  const message = `more than ${LIMITS.files} files: ${path} and those after it are not read`;
  const help = "name the folders that hold resources";
  return diagnostic("KMK0003", { message, help, position: { file: path, line: 1, column: 1 } });
}

function addGiven(path: string, stamp: string, { folders, kustomizations, add }: Walk, named: Set<string>): void {
  folders.add(dirname(path));
  if (isKustomization(path)) return void kustomizations.push(path);
  named.add(path);
  add({ path, stamp, isNamed: true });
}

/** What stands for others: kustomizations below the path, and the chart that it is. */
async function addRendered({ path, namespace, values }: PlacedPath, walking: Walk, known: KnownLayers): Promise<void> {
  const { kustomizations, folders, owners, unclear, taken, charts, diagnostics, add } = walking;
  const chosen = await chooseKustomizations(path, kustomizations, known);
  const renderer = chosen.trees.length > 0 ? await findRenderer() : undefined;
  for (const tree of chosen.trees) {
    for (const folder of tree.folders) folders.add(folder);
    // Another one may render what this one could not.
    add({ path: tree.file, stamp: `${renderer} ${tree.stamp}`, render: () => render(tree, { namespace }) });
  }
  owners.push(chosen.owns);
  unclear.push(...chosen.unclear);
  taken.folders.push(...chosen.taken.folders);
  taken.files.push(...chosen.taken.files);
  diagnostics.push(...chosen.diagnostics);
  const chart = charts.has(path) ? await findChart(path, values) : undefined;
  if (chart === undefined) return values === undefined ? undefined : void diagnostics.push(noChart(path));
  for (const folder of chart.folders) folders.add(folder);
  charts.delete(path);
  owners.push((file) => isOfChart(chart, file));
  add({
    path: join(path, CHART),
    ...(values !== undefined && { values }),
    stamp: chart.stamp,
    render: () => renderChart(chart, namespace),
  });
}

/** A file that is read for two namespaces, or a chart with two files of values, is two. */
export function fileKey({ path, namespace = "", values = "" }: FileName): string {
  return `${namespace}\0${path}\0${values}`;
}

interface Found {
  files: FoundFile[];
  readonly folders: Set<string>;
  readonly outOfSight: string[];
  readonly unclear: string[];
  readonly taken: { readonly folders: string[]; readonly files: string[] };
  readonly diagnostics: Diagnostic[];
  /** Folders of Helm charts. */
  readonly charts: Set<string>;
  /** Files that were given by their names. */
  readonly named: Set<string>;
  /** Whether a file belongs to what is rendered, and so is no resource by itself. */
  readonly owners: ((file: string) => boolean)[];
}

type Walk = Omit<Found, "named"> & { readonly add: (file: FoundFile) => void; readonly kustomizations: string[] };

/** Takes away what is no resource by itself, and says so once for each chart. */
function passOver(listing: Found): void {
  const templates = new Map<string, Set<string>>();
  listing.files = listing.files.filter(({ path, render: isRendered }) => {
    if (isRendered !== undefined || listing.named.has(path)) return true;
    const absolute = resolve(path);
    if (listing.owners.some((owns) => owns(absolute))) return false;
    const chart = chartOf(path, listing.charts);
    if (chart !== undefined) templates.set(chart, (templates.get(chart) ?? new Set()).add(path));
    return chart === undefined;
  });
  for (const [chart, { size }] of templates) listing.diagnostics.push(notRendered(chart, size));
}

function noChart(path: string): Diagnostic {
  const message = `values are given for ${path}, which is no Helm chart`;
  return diagnostic("KMK0007", { message, help: `name the folder that holds ${CHART}`, position: { file: path, line: 1, column: 1 } });
}

/** The folder of the Helm chart whose template a file is: `CHART/templates/…` with `CHART/Chart.yaml`; undefined where it is none. */
function chartOf(file: string, charts: ReadonlySet<string>): string | undefined {
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder))
    if (charts.has(dirname(folder)) && folder === join(dirname(folder), "templates")) return dirname(folder);
  return undefined;
}

function notRendered(chart: string, count: number): Diagnostic {
  const message = `a Helm chart: its ${count === 1 ? "template is" : `${count} templates are`} not rendered, and not read`;
  const help = `name the chart's folder itself, or read what it makes: helm template ${quote(chart)} > FILE.yaml`;
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
    else if (isKustomization(path)) listing.kustomizations.push(path);
    else if (entry.name === CHART) listing.charts.add(folder);
    else if (READ.test(entry.name) && !OUR_SETTINGS.test(entry.name)) await addFile(path, listing);
  }
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
