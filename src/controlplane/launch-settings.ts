import { existsSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Diagnostic } from "../model/diagnostic.ts";
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
    ? readKumikoYaml(readFileSync(file, "utf8"), file)
    : { settings: NO_SETTINGS, diagnostics: [] };
  const outer = { ...environment.variables, STATE: places.state };
  const declared = Object.fromEntries(
    Object.entries(settings.env).map(([name, text]) => [name, environment.variables[name] ?? expand(text, outer)]),
  );
  const variables = { ...declared, ...outer };
  const words = (list: readonly string[]) => list.map((word) => expand(word, variables));
  const paths = (list: readonly string[]) => words(list).map((path) => resolve(places.root, path));
  return {
    ...settings,
    isDeclared,
    diagnostics,
    programEnv: { ...declared, STATE: places.state },
    resources: settings.resources.length === 0 ? [places.root] : paths(settings.resources),
    prepare: words(settings.prepare),
    authorities: paths(settings.authorities),
    token: words(settings.token),
    try: words(settings.try),
    hosts: Object.fromEntries(Object.entries(settings.hosts).map(([host, address]) => [host, expand(address, variables)])),
    outside: Object.fromEntries(
      Object.entries(settings.outside).map(([name, program]) => [
        name,
        { ...program, env: { ...declared, STATE: places.state, ...expandAll(program.env, variables) } },
      ]),
    ),
  };
}

type Variables = Readonly<Record<string, string | undefined>>;

function expandAll(values: Readonly<Record<string, string>>, variables: Variables): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(values).map(([key, text]) => [key, expand(text, variables)]));
}

/** `${NAME}` and `${NAME:-otherwise}`, as shells have them; a name without a value is empty. `$(...)` is left for the shell that runs it. */
export function expand(text: string, variables: Variables): string {
  return text.replaceAll(
    /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g,
    (_, name: string, otherwise: string | undefined) => variables[name] || (otherwise ?? ""),
  );
}
