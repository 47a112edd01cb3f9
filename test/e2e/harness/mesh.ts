import { type ChildProcess, execFile, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Footprint, footprintOf } from "./traces.ts";
import { waitFor } from "./wait.ts";
import { freePort } from "../../../src/testing/free-port.ts";

export const repository = fileURLToPath(new URL("../../..", import.meta.url));
export const KUMIKO = join(repository, "kumiko");
const run = promisify(execFile);

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one `kumiko` command to its end; a failure is a result, not an exception. */
export async function kumiko(
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = {},
  { program = KUMIKO, as }: Pick<StartOptions, "program" | "as"> = {},
): Promise<CommandResult> {
  try {
    const options = { ...as, cwd, timeout: 60_000, maxBuffer: 64 * 1024 * 1024, env: { ...process.env, ...env } };
    const { stdout, stderr } = await run(program, [...args], options);
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, killed, stdout, stderr } = error as { code?: number; killed?: boolean; stdout?: string; stderr?: string };
    // One that had to be ended is no result of its own, whatever code it ended with.
    return { code: typeof code === "number" && killed !== true ? code : -1, stdout: stdout ?? "", stderr: stderr ?? String(error) };
  }
}

export interface RunningMesh {
  /** The folder that `kumiko up` was given. */
  readonly dir: string;
  readonly pid: number;
  /** Folder of its sockets. */
  readonly runDir: string;
  /** All that `kumiko up` has printed so far. */
  readonly output: () => string;
  /** Port on 127.0.0.1 for each published port, in the order of kumiko.yaml. */
  readonly ports: readonly number[];
  edit(file: string, change: (text: string) => string): void;
  /** All text of the logs. */
  logs(): string;
  stop(): Promise<void>;
  /** As Ctrl-C does at a terminal, and resolves with the exit code. */
  interrupt(): Promise<number | null>;
  /** Resolves with the exit code when it has ended by itself. */
  readonly ended: Promise<number | null>;
  /** Ends without a chance to clean up. */
  kill(): Promise<void>;
  /** All that it has on this system now. */
  footprint(): Footprint;
  remove(): void;
}

/** A folder of manifests in a temporary place, with free ports for what it publishes. */
export interface PreparedFolder {
  readonly dir: string;
  readonly ports: readonly number[];
  remove(): void;
}

export async function prepareFolder(fixture: string): Promise<PreparedFolder> {
  const base = mkdtempSync(join(tmpdir(), "kumiko-e2e-"));
  const dir = join(base, "mesh");
  cpSync(fixture, dir, { recursive: true });
  cpSync(join(repository, "test/e2e/workloads"), join(dir, "workloads"), { recursive: true });
  const ports = await freePublishedPorts(join(dir, "kumiko.yaml"));
  return { dir, ports, remove: () => rmSync(base, { recursive: true, force: true }) };
}

/**
 * Copies a folder of manifests to a temporary place, with free ports for what it publishes, and starts `kumiko up` there. Resolves when all
 * of it is ready.
 */
export async function startMesh(
  fixture: string,
  options: { readonly args?: readonly string[]; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<RunningMesh> {
  const { dir, ports, remove } = await prepareFolder(fixture);
  return startIn(dir, { ...options, ports, remove });
}

interface StartOptions {
  /** The `kumiko` to run; this clone's by default. */
  readonly program?: string;
  /** Ready is when this was printed; by default when all of it is up. */
  readonly until?: string;
  /** Leads a process group of its own, as at a terminal. */
  readonly leadsGroup?: boolean;
  /** User and group to run it as. */
  readonly as?: { readonly uid: number; readonly gid: number };
  /** Put before the command: a program that becomes it. */
  readonly launch?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly ports: readonly number[];
  readonly remove: () => void;
}

/** Starts `kumiko up` on a folder as it is. */
export async function startIn(dir: string, options: StartOptions): Promise<RunningMesh> {
  const {
    program = KUMIKO,
    as = {},
    launch = [],
    args = [],
    env = {},
    ports,
    remove,
    until = "Ctrl-C stops",
    leadsGroup = false,
  } = options;
  const [first = program, ...rest] = [...launch, program, "up", dir, ...args];
  const child = spawn(first, rest, {
    ...as,
    cwd: dir,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: leadsGroup,
  });
  const exited = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
  let printed = "";
  child.stdout.on("data", (data: Buffer) => (printed += data.toString()));
  child.stderr.on("data", (data: Buffer) => (printed += data.toString()));
  try {
    await waitFor("kumiko up is ready", () => printed.includes(until), {
      timeoutMs: 120_000,
      failed: () => (child.exitCode === null ? undefined : `it ended with code ${child.exitCode}`),
      explain: () => `${printed}\n${tail(readTree(join(dir, ".kumiko/logs")))}`,
    });
  } catch (error) {
    await ended(child, "SIGTERM");
    throw error;
  }
  const { adminSocket } = JSON.parse(readFileSync(join(dir, ".kumiko/run.json"), "utf8")) as { adminSocket: string };
  const runDir = dirname(adminSocket);
  return {
    dir,
    pid: child.pid ?? -1,
    runDir,
    output: () => printed,
    ports,
    edit: (file, change) => writeFileSync(join(dir, file), change(readFileSync(join(dir, file), "utf8"))),
    logs: () => readTree(join(dir, ".kumiko/logs")),
    stop: () => ended(child, "SIGTERM"),
    interrupt: () => (child.kill("SIGINT"), exited),
    ended: exited,
    footprint: () => footprintOf([child.pid ?? -1], [dir, runDir], ports),
    kill: () => ended(child, "SIGKILL"),
    remove,
  };
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await gone;
}

export async function freePublishedPorts(file: string): Promise<readonly number[]> {
  const ports: number[] = [];
  let text = readFileSync(file, "utf8");
  for (const [published] of text.matchAll(/127\.0\.0\.1:\d+(?= *\})/g)) {
    const port = await freePort();
    ports.push(port);
    text = text.replace(published, `127.0.0.1:${port}`);
  }
  writeFileSync(file, text);
  return ports;
}

/** The text of every regular file under a folder, each with its name. */
export function readTree(folder: string): string {
  const parts: string[] = [];
  const visit = (path: string) => {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat?.isDirectory()) for (const entry of readdirSync(path)) visit(join(path, entry));
    else if (stat?.isFile()) parts.push(`== ${path}\n${readFileSync(path, "latin1")}`);
  };
  visit(folder);
  return parts.join("\n");
}

function tail(text: string): string {
  return text.slice(-8000);
}
