import { access, constants, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { delimiter, dirname, isAbsolute, join, relative } from "node:path";
import { printableLines } from "../../base/printable.ts";
import { commandLine } from "../../base/shell.ts";
import { diagnostic, type Diagnostic } from "../../model/diagnostic.ts";
import { LIMITS } from "../limits.ts";
import { parseText } from "../parse.ts";
import { isFault } from "../plain.ts";
import { traceOrigins } from "./origins.ts";
import type { RenderedResource } from "./rendered.ts";
import type { Tree } from "./tree.ts";

/** Programs that render, in order of preference, with the words before the folder. */
const PROGRAMS = [
  ["kustomize", "build"],
  ["kubectl", "kustomize"],
] as const;

export interface Outside {
  readonly items: readonly RenderedResource[];
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Renders by kustomize itself, through a kustomization of our own that asks for the origin of each resource. Undefined where it is not installed.
 * Plugins, charts and functions stay off, as they are by default; what would have to be fetched was refused before.
 */
export async function renderOutside(
  tree: Tree,
  texts: ReadonlyMap<string, string | Diagnostic>,
  searchPath: string,
): Promise<Outside | undefined> {
  const found = await findProgram(searchPath);
  if (found === undefined) return undefined;
  const [program, ...words] = found;
  const folder = await realpath(dirname(tree.file));
  const temporary = await realpath(await mkdtemp(join(tmpdir(), "kumiko-render-")));
  try {
    const target = relative(temporary, folder);
    // A folder that holds ours can't be its base: it is rendered as it is, and nobody says what comes from where.
    const isAbove = /^(\.\.\/?)*$/.test(target);
    if (!isAbove)
      await writeFile(join(temporary, "kustomization.yaml"), JSON.stringify({ resources: [target], buildMetadata: ["originAnnotations"] }));
    const ran = await run(program, [...words, isAbove ? folder : temporary], temporary);
    if ("failure" in ran)
      return {
        items: [],
        diagnostics: [
          couldNot(tree, [...(PROGRAMS.find(([name]) => program.endsWith(`/${name}`)) ?? [])], ran.failure.replaceAll(temporary, folder)),
        ],
      };
    const documents = parseText(ran.output);
    if (isFault(documents)) return { items: [], diagnostics: [couldNot(tree, words, `its output can't be read: ${documents.message}`)] };
    return {
      items: await traceOrigins(
        documents.map(({ value }) => value),
        { tree, texts, from: temporary },
      ),
      diagnostics: [],
    };
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function findProgram(searchPath: string): Promise<readonly [string, ...string[]] | undefined> {
  for (const [name, ...words] of PROGRAMS)
    for (const folder of searchPath.split(delimiter).filter(isAbsolute)) {
      const program = join(folder, name);
      if (
        await access(program, constants.X_OK).then(
          () => true,
          () => false,
        )
      )
        return [program, ...words];
    }
  return undefined;
}

const MOST_LINES = 12;

function couldNot({ file }: Tree, words: readonly string[], said: string): Diagnostic {
  const lines = printableLines(said.trim()).split("\n").slice(0, MOST_LINES).join("\n");
  const again = commandLine([...words, dirname(file)]);
  return diagnostic("KMK0007", {
    message: `kustomize can't render it: ${lines}`,
    help: `see for yourself: ${again}`,
    position: { file, line: 1, column: 1 },
  });
}

/** What git and HTTP clients take as: not from here. */
const OFFLINE = {
  GIT_ALLOW_PROTOCOL: "none",
  HTTP_PROXY: "http://127.0.0.1:9",
  HTTPS_PROXY: "http://127.0.0.1:9",
  NO_PROXY: "",
  KUSTOMIZE_PLUGIN_HOME: "/nonexistent",
};

type Ran = { readonly output: string } | { readonly failure: string };

/** Without a shell, with a limit of time and output. */
export function run(program: string, args: readonly string[], cwd: string): Promise<Ran> {
  const limits = { timeout: LIMITS.renderMs, killSignal: "SIGKILL", maxBuffer: LIMITS.renderedBytes } as const;
  return new Promise((resolve) => {
    execFile(program, args, { ...limits, cwd, env: { ...process.env, ...OFFLINE }, encoding: "utf8" }, (error, stdout, stderr) => {
      if (error === null) return resolve({ output: stdout });
      const isLarge = (error as NodeJS.ErrnoException).code === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER";
      if (isLarge) return resolve({ failure: `it printed more than ${LIMITS.renderedBytes / 1024 / 1024} MiB` });
      if (error.killed === true) return resolve({ failure: `it took more than ${LIMITS.renderMs / 1000} s` });
      resolve({ failure: stderr.trim() === "" ? error.message : stderr });
    }).stdin?.end();
  });
}
