import { existsSync, readdirSync, realpathSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { splitResourcePath } from "../model/resource-path.ts";
import { LAUNCH_FILE, type Places } from "./config.ts";
import { isUnder } from "../runtime/pod-view.ts";
import { listFiles } from "../source/list-files.ts";
import type { LaunchSettings } from "./launch-settings.ts";

/**
 * What applications need beside their folder: the packages of the npm projects that it belongs to, linked workspaces included, and the Node that
 * runs us, which is theirs too. Of a project's folder itself they see no more than that: it may hold anything.
 */
export function visibleFolders(root: string, node = process.execPath): readonly string[] {
  return [...projectsOf(root).flatMap(packagesOf), dirname(node)];
}

/** What they don't find in it: the manifests and the mesh's settings. Without `resources`, every file may be a manifest, and stays. */
export function hiddenPaths({ resources }: Pick<LaunchSettings, "resources">, { root }: Pick<Places, "root">): readonly string[] {
  const paths = resources.flatMap((given) => {
    const { path, values } = splitResourcePath(given);
    return values === undefined ? [path] : [path, values];
  });
  return [join(root, LAUNCH_FILE), ...paths.filter((path) => path !== root && !root.startsWith(`${path}/`))];
}

/**
 * Nor do they find what kustomizations under `resources` take in from elsewhere: bases, and files of which Secrets are generated. Their folders are
 * hidden as a whole, since what an editor leaves there is of the same sort; where an application lives in one, the files alone are.
 */
export async function hiddenBases(
  { resources, images }: Pick<LaunchSettings, "resources" | "images">,
  root: string,
): Promise<readonly string[]> {
  const given = resources.map((one) => splitResourcePath(one).path);
  const isElsewhere = (path: string) => !given.some((folder) => isUnder(path, folder));
  const { taken } = await listFiles(resources);
  const homes = [root, ...Object.values(images).map(({ workingDir = "." }) => resolve(root, workingDir))];
  const folders = taken.folders.filter((folder) => isElsewhere(folder) && !homes.some((home) => isUnder(home, folder)));
  return [...folders, ...taken.files.filter((file) => isElsewhere(file) && !folders.some((folder) => isUnder(file, folder)))];
}

/** The folder and those above it up to the one that has packages installed; nothing where none has. */
function projectsOf(folder: string): readonly string[] {
  const folders: string[] = [];
  for (let at = folder; at !== dirname(at); at = dirname(at)) {
    folders.push(at);
    if (existsSync(join(at, "node_modules"))) return folders;
  }
  return [];
}

function packagesOf(project: string): readonly string[] {
  const packages = join(project, "node_modules");
  const files = ["package.json", "tsconfig.json"].map((name) => join(project, name)).filter((path) => existsSync(path));
  return existsSync(packages) ? [...files, packages, ...linkedFrom(packages)] : files;
}

/** Where symbolic links lead that stand for packages: workspaces. */
function linkedFrom(packages: string): readonly string[] {
  return readdirSync(packages, { withFileTypes: true }).flatMap((entry) => {
    const path = join(packages, entry.name);
    if (entry.isSymbolicLink()) return realPaths(path);
    return entry.isDirectory() && entry.name.startsWith("@") ? linkedFrom(path) : [];
  });
}

function realPaths(path: string): readonly string[] {
  try {
    return [realpathSync(path)];
  } catch {
    return []; // A link that leads nowhere.
  }
}
