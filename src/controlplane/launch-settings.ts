import { existsSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Diagnostic } from "../model/diagnostic.ts";
import { MeshError } from "../model/error.ts";
import { formatPosition } from "../model/position.ts";
import { type ResourcePath, splitResourcePath } from "../model/resource-path.ts";
import { type KumikoSettings, NO_SETTINGS, readKumikoYaml } from "../runtime/index.ts";
import { type Environment, LAUNCH_FILE, type Places } from "./config.ts";

/** `kumiko.yaml` with its variables replaced and its paths made absolute. */
export interface LaunchSettings extends KumikoSettings {
  /** Whether the folder has a `kumiko.yaml`. */
  readonly isDeclared: boolean;
  /** What `prepare`, `outside` and `token` programs find in their environment. */
  readonly programEnv: Readonly<Record<string, string>>;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Reads `kumiko.yaml` of a mesh's folder; without one, every manifest of the folder counts. `${NAME}` and `${NAME:-otherwise}` stand for
 * variables of the caller's environment, of the file's `env`, and `STATE`, the state folder.
 */
export function readLaunchSettings(places: Places, environment: Environment): LaunchSettings {
  const file = join(places.root, LAUNCH_FILE);
  const isDeclared = existsSync(file) && statSync(file).isFile();
  const { settings, diagnostics } = isDeclared
    ? readKumikoYaml(readFileSync(file, "utf8"), file, { ...environment.variables, STATE: places.state })
    : { settings: NO_SETTINGS, diagnostics: [] };
  const programEnv = { ...settings.env, STATE: places.state };
  const paths = (list: readonly string[]) => list.map((path) => resolve(places.root, path));
  const outside = Object.entries(settings.outside);
  return {
    ...settings,
    isDeclared,
    diagnostics,
    programEnv,
    resources: settings.resources.length === 0 ? [places.root] : settings.resources.map((given) => resolvePaths(given, places.root)),
    authorities: paths(settings.authorities),
    outside: Object.fromEntries(outside.map(([name, program]) => [name, { ...program, env: { ...programEnv, ...program.env } }])),
  };
}

function resolvePaths(given: ResourcePath, root: string): ResourcePath {
  if (typeof given === "string") return resolve(root, given);
  const { path, values } = given;
  return { ...given, path: resolve(root, path), ...(values !== undefined && { values: resolve(root, values) }) };
}

/** @throws MeshError `refused` where a part of `kumiko.yaml` is wrong and was left out: what is missing would be a riddle later on. */
export function checkLaunchSettings({ diagnostics }: Pick<LaunchSettings, "diagnostics">, { root }: Pick<Places, "root">): void {
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  if (errors.length === 0) return;
  const lines = errors.map(({ message, position }) => (position === undefined ? message : `${formatPosition(position)}: ${message}`));
  throw new MeshError("refused", lines.join("\n"), { help: `edit ${join(root, LAUNCH_FILE)}, then kumiko up ${root}` });
}

/** To be asked when `prepare` has run, which may make them. @throws MeshError `refused` where files or folders of resources don't exist. */
export function checkResourcesExist({ resources }: Pick<LaunchSettings, "resources">, { root }: Pick<Places, "root">): void {
  const missing = resources.map((given) => splitResourcePath(given).path).filter((path) => !existsSync(path));
  if (missing.length === 0) return;
  throw new MeshError("refused", `no such file or folder: ${missing.join(", ")}`, {
    help: `put manifests there, or name others under resources in ${join(root, LAUNCH_FILE)}`,
  });
}
