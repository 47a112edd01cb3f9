import { existsSync, realpathSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { basename, delimiter, dirname, isAbsolute, join, resolve } from "node:path";
import { findImage, toEntry } from "./container-command.ts";
import type { ImageCommand } from "./kumiko-yaml.ts";
import type { Container, DesiredPod } from "./pod.ts";
import type { PrivateFolders } from "./private-folders.ts";
import { SYSTEM_FOLDERS } from "./root-script.ts";

export interface ViewOptions {
  /** The applications' folder: what they write there goes to memory and is gone with the pod. */
  readonly folder: string;
  /** Further files and folders that every application finds, read-only. */
  readonly visible: readonly string[];
  /** State, sockets and manifests of the mesh, wherever they lie in what is shown. */
  readonly hidden: readonly string[];
  readonly images: Readonly<Record<string, ImageCommand>>;
  /** PATH of the applications. */
  readonly path: string;
  readonly privateFolders: PrivateFolders;
}

/** One step on the way to a pod's file system; parents come before children. */
export interface ViewStep {
  readonly path: string;
  readonly kind: "show" | "scratch" | "cover";
}

/**
 * What a pod's programs find of the machine's file system beside the system's own folders: their images' folders, the programs that they run,
 * and what `kumiko.yaml` mounts, which alone may show what is hidden otherwise.
 */
export async function toPodView(pod: DesiredPod, options: ViewOptions): Promise<readonly ViewStep[]> {
  const { folder, visible, hidden, images, privateFolders } = options;
  const places = [...(pod.spec.initContainers ?? []), ...pod.spec.containers].map((container) => {
    const image = findImage(images, container.image ?? "");
    const workingDir = resolve(folder, image?.workingDir ?? ".");
    return { workingDir, programs: programFolders(container, image, workingDir, options), mounts: image?.mounts ?? [] };
  });
  const workingDirs = places.map(({ workingDir }) => workingDir);
  const programs = places.flatMap((place) => place.programs);
  const found = await Promise.all([folder, ...visible, ...workingDirs, ...programs].map((path) => privateFolders.in(path)));
  const covered = [...hidden, ...found.flat()];
  // A manifest's command must not show what is covered: only kumiko.yaml may.
  const open = programs.filter((path) => !covered.some((closed) => isUnder(path, closed)));
  const shown = [...visible, ...workingDirs, ...open].filter((path) => path !== "/");
  return prune([
    { path: folder, kind: "scratch" },
    ...shown.map((path): ViewStep => ({ path, kind: "show" })),
    ...covered.flatMap((path) => withRealPath(path)).map((path): ViewStep => ({ path, kind: "cover" })),
    ...places.flatMap(({ mounts }) => mounts).map((path): ViewStep => ({ path: resolve(folder, path), kind: "show" })),
  ]);
}

/** Parents first, and nothing that changes nothing: a folder in one that is shown already, a cover where nothing is shown. */
function prune(steps: readonly ViewStep[]): readonly ViewStep[] {
  const kept: ViewStep[] = [];
  for (const step of steps.toSorted((a, b) => a.path.split("/").length - b.path.split("/").length)) {
    const around = kept.filter(({ path }) => isUnder(step.path, path)).at(-1);
    const isShown = around === undefined ? SYSTEM_FOLDERS.some((path) => isUnder(step.path, path)) : around.kind !== "cover";
    if (step.kind === "scratch" || (step.kind === "cover") === isShown) kept.push(step);
  }
  return kept;
}

export function isUnder(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

/** A program that PATH finds comes with the libraries beside it; one that is named by its path comes alone. */
function programFolders(
  container: Container,
  image: ImageCommand | undefined,
  workingDir: string,
  { path }: ViewOptions,
): readonly string[] {
  const [program = ""] = toEntry(container, image);
  if (program.includes("/"))
    return (isAbsolute(program) || program.startsWith("..")) && isProgram(resolve(workingDir, program))
      ? [resolve(workingDir, program)]
      : [];
  const found = path.split(delimiter).find((folder) => program !== "" && existsSync(join(folder, program)));
  if (found === undefined) return [];
  return [...new Set([found, ...realFolder(join(found, program)).filter((folder) => basename(folder) === "bin")])].flatMap(installation);
}

/** A folder, or a file that nobody may execute, is shown by no command. */
function isProgram(path: string): boolean {
  try {
    const found = statSync(path);
    return found.isFile() && (found.mode & 0o111) !== 0;
  } catch {
    return false;
  }
}

function realFolder(file: string): readonly string[] {
  try {
    return [dirname(realpathSync(file))];
  } catch {
    return [];
  }
}

/**
 * Of what lies around a folder of programs, as much as they need to run and no more: a home's settings may lie there, too. A version manager's
 * shims find its programs in the folder above.
 */
function installation(programs: string): readonly string[] {
  const above = dirname(programs);
  if (basename(programs) === "shims" && above !== homedir()) return [above];
  if (basename(programs) !== "bin") return [programs];
  return [programs, ...["lib", "lib64", "libexec"].map((name) => join(above, name)).filter((path) => existsSync(path))];
}

function withRealPath(path: string): readonly string[] {
  try {
    return [...new Set([path, realpathSync(path)])];
  } catch {
    return [path];
  }
}
