import { execFile } from "node:child_process";
import { access, constants, stat } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";
import { printableLines } from "../base/printable.ts";
import { LIMITS } from "./limits.ts";

/** The first of some programs that a search path (as `PATH`) has; folders that are named relative to whoever looks don't count. */
export async function findProgram(names: readonly string[], searchPath: string): Promise<string | undefined> {
  for (const name of names)
    for (const folder of searchPath.split(delimiter).filter(isAbsolute)) {
      const program = join(folder, name);
      if (await isProgram(program)) return program;
    }
  return undefined;
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

const MOST_LINES = 12;

/** What a program said of its failure, for a diagnostic. */
export function quoted(said: string): string {
  return printableLines(said.trim()).split("\n").slice(0, MOST_LINES).join("\n");
}

/** What git and HTTP clients take as: not from here. */
const OFFLINE = {
  GIT_ALLOW_PROTOCOL: "none",
  HTTP_PROXY: "http://127.0.0.1:9",
  HTTPS_PROXY: "http://127.0.0.1:9",
  NO_PROXY: "",
  no_proxy: "",
  // Nor are plugins looked for, or a cluster.
  KUSTOMIZE_PLUGIN_HOME: "/nonexistent",
  HELM_PLUGINS: "/nonexistent",
  HELM_NO_PLUGINS: "1",
  KUBECONFIG: "/nonexistent",
};

/** `mayPass`: it was the machine, not what was asked, and may be better later on. */
type Ran = { readonly output: string } | { readonly failure: string; readonly mayPass?: true };

/** Without a shell, with a limit of time and output. Never throws. */
export function runProgram(program: string, args: readonly string[], cwd: string): Promise<Ran> {
  const limits = { timeout: LIMITS.renderMs, killSignal: "SIGKILL", maxBuffer: LIMITS.renderedBytes } as const;
  return new Promise<Ran>((resolve) => {
    execFile(program, args, { ...limits, cwd, env: { ...process.env, ...OFFLINE }, encoding: "utf8" }, (error, stdout, stderr) => {
      if (error === null) return resolve({ output: stdout });
      const isLarge = (error as NodeJS.ErrnoException).code === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER";
      if (isLarge) return resolve({ failure: `it printed more than ${LIMITS.renderedBytes / 1024 / 1024} MiB` });
      if (error.killed === true) return resolve({ failure: `it took more than ${LIMITS.renderMs / 1000} s`, mayPass: true });
      const failure = stderr.trim() === "" ? error.message : stderr;
      // Another signal than ours, or no process at all.
      const isOfMachine = typeof error.code !== "number";
      resolve({ failure, ...(isOfMachine && { mayPass: true }) });
    }).stdin?.end();
  }).catch((error: unknown): Ran => ({ failure: error instanceof Error ? error.message : String(error), mayPass: true }));
}
