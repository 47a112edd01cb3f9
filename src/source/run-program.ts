import { type ChildProcessByStdio, spawn } from "node:child_process";
import { access, constants, stat } from "node:fs/promises";
import { basename, delimiter, isAbsolute, join } from "node:path";
import type { Readable } from "node:stream";
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

/** Without a shell, with a limit of time and output; what it has started itself ends with it. Never throws. */
export function runProgram(program: string, args: readonly string[], cwd: string, timeoutMs: number = LIMITS.renderMs): Promise<Ran> {
  return new Promise<Ran>((resolve) => {
    // A group of its own: many a program on the PATH is a script that starts another one.
    const child = spawn(program, args, { cwd, env: { ...process.env, ...OFFLINE }, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    const end = (ran: Ran) => {
      clearTimeout(timer);
      resolve(ran);
    };
    const stop = (ran: Ran) => {
      endGroup(child);
      end(ran);
    };
    const timer = setTimeout(() => stop({ failure: `it took more than ${timeoutMs / 1000} s`, mayPass: true }), timeoutMs);
    const tooMuch = () => stop({ failure: `it printed more than ${LIMITS.renderedBytes / 1024 / 1024} MiB` });
    const output = collect(child.stdout, tooMuch);
    const errors = collect(child.stderr, tooMuch);
    child.on("error", (error) => end({ failure: error.message, mayPass: true }));
    child.on("close", (code, signal) => {
      if (code === 0) return end({ output: output() });
      const failure = errors().trim() || `${basename(program)} ended ${signal === null ? `with code ${code}` : `by ${signal}`}`;
      // Another signal than ours: it is the machine's.
      end({ failure, ...(signal !== null && { mayPass: true }) });
    });
  }).catch((error: unknown): Ran => ({ failure: error instanceof Error ? error.message : String(error), mayPass: true }));
}

function collect(stream: Readable, tooMuch: () => void): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > LIMITS.renderedBytes) return tooMuch();
    chunks.push(chunk);
  });
  return () => Buffer.concat(chunks).toString("utf8");
}

function endGroup({ pid, stdout, stderr }: ChildProcessByStdio<null, Readable, Readable>): void {
  stdout.destroy();
  stderr.destroy();
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // All of it has ended.
  }
}
