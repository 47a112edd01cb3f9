import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { commandLine } from "../../base/shell.ts";
import { diagnostic, type Diagnostic } from "../../model/diagnostic.ts";
import { parseText } from "../parse.ts";
import { isFault } from "../plain.ts";
import type { RenderedResource } from "../rendering.ts";
import { findProgram, quoted, runProgram } from "../run-program.ts";
import { traceOrigins } from "./origins.ts";
import type { Tree } from "./tree.ts";

/** Programs that render, in order of preference, with the words before the folder. */
const PROGRAMS = [
  ["kustomize", "build"],
  ["kubectl", "kustomize"],
] as const;

export interface Outside {
  readonly items: readonly RenderedResource[];
  readonly diagnostics: readonly Diagnostic[];
  /** It failed for a reason that has nothing to do with what is rendered. */
  readonly mayPass?: boolean;
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
  const program = await findRenderer(searchPath);
  const words = PROGRAMS.find(([name]) => basename(program ?? "") === name);
  if (program === undefined || words === undefined) return undefined;
  try {
    return await inFolderOfOurs((temporary) => runIn(temporary, { tree, texts, program, words }));
  } catch (error) {
    // No folder can be made, or the kustomization's has gone.
    if (!(error instanceof Error && "syscall" in error)) throw error;
    return { ...couldNot(tree, words, error.message), mayPass: true };
  }
}

/** The program that renders; undefined where none is installed. */
export async function findRenderer(searchPath = process.env["PATH"] ?? ""): Promise<string | undefined> {
  return await findProgram(
    PROGRAMS.map(([name]) => name),
    searchPath,
  );
}

async function inFolderOfOurs<T>(work: (temporary: string) => Promise<T>): Promise<T> {
  const temporary = await realpath(await mkdtemp(join(tmpdir(), "kumiko-render-")));
  try {
    return await work(temporary);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

interface Run {
  readonly tree: Tree;
  readonly texts: ReadonlyMap<string, string | Diagnostic>;
  readonly program: string;
  readonly words: (typeof PROGRAMS)[number];
}

async function runIn(temporary: string, { tree, texts, program, words }: Run): Promise<Outside> {
  const folder = await realpath(dirname(tree.file));
  const target = relative(temporary, folder);
  // A folder that holds ours can't be its base: it is rendered as it is, and nobody says what comes from where.
  const isAbove = /^(\.\.\/?)*$/.test(target);
  const asking = { resources: [target], buildMetadata: ["originAnnotations"] };
  if (!isAbove) await writeFile(join(temporary, "kustomization.yaml"), JSON.stringify(asking));
  const ran = await runProgram(program, [words[1], isAbove ? folder : temporary], temporary);
  if ("failure" in ran)
    return { ...couldNot(tree, words, ran.failure.replaceAll(temporary, folder)), ...(ran.mayPass && { mayPass: ran.mayPass }) };
  const documents = parseText(ran.output);
  if (isFault(documents)) return couldNot(tree, words, `its output can't be read: ${documents.message}`);
  const values = documents.map(({ value }) => value);
  return { items: await traceOrigins(values, { tree, texts, from: temporary }), diagnostics: [] };
}

function couldNot({ file }: Tree, words: readonly string[], said: string): Outside {
  const message = `kustomize can't render it: ${quoted(said)}`;
  const help = `see for yourself: ${commandLine([...words, dirname(file)])}`;
  return { items: [], diagnostics: [diagnostic("KMK0007", { message, help, position: { file, line: 1, column: 1 } })] };
}
