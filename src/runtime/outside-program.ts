import { type ChildProcess, spawn } from "node:child_process";
import { get as httpGet } from "node:http";
import { get as httpsGet } from "node:https";
import { connect } from "node:net";
import { isAbsolute, resolve } from "node:path";
import { MeshError } from "../model/error.ts";
import type { OutsideProgram } from "./kumiko-yaml.ts";
import type { LogFile } from "./log-file.ts";
import { readChildren, sendSignal } from "./proc.ts";
import { getProgram } from "./program.ts";

export interface OutsideProgramOptions {
  readonly name: string;
  readonly program: OutsideProgram;
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  readonly log: LogFile;
  /** It ended although nobody asked it to. */
  readonly onEnd: (how: string) => void;
  /** A PID namespace of its own, so that a `kill -9` of ours leaves none of its processes; where the system has namespaces. */
  readonly contained: boolean;
}

export interface RunningProgram {
  readonly name: string;
  /** Resolves when the program is ready. @throws MeshError `timeout` or `io`, naming its log. */
  readonly ready: Promise<void>;
  stop(graceMs: number): Promise<void>;
}

/**
 * Before the program starts nothing may answer where it is awaited: a stranger's answer would pass for its own.
 * @throws MeshError `io` where something does.
 */
export async function refuseTaken(name: string, { ready }: Pick<OutsideProgram, "ready">): Promise<void> {
  if (ready === undefined || !(await answers(ready))) return;
  throw new MeshError("io", `something else answers at ${ready.replace(/^tcp:/, "")}, where ${name} is to`, {
    help: "end what listens there, or give the program another port in kumiko.yaml",
  });
}

const POLL_MS = 100;
const GROUP_MS = 2000;

/** Starts a program on the host. It is not started again when it ends: that is said instead. */
export function startOutsideProgram(options: OutsideProgramOptions): RunningProgram {
  const { program, folder, name, log } = options;
  const cwd = isAbsolute(program.workingDir) ? program.workingDir : resolve(folder, program.workingDir);
  const [file = "", ...args] = [...containment(options.contained), ...program.command];
  const child = spawn(file, args, { cwd, env: { ...options.env, ...program.env }, stdio: ["ignore", "pipe", "pipe"], detached: true });
  let isStopping = false;
  let how: string | undefined;
  const ended = (why: string) => {
    how ??= why;
    if (!isStopping) options.onEnd(why);
  };
  child.stdout.on("data", (chunk: Buffer) => log.write(chunk));
  child.stderr.on("data", (chunk: Buffer) => log.write(chunk));
  child.once("error", (error) => ended(error.message));
  child.once("exit", (code, signal) => ended(signal ?? `exit code ${code}`));
  return {
    name,
    ready: waitUntilReady(options, () => how),
    async stop(graceMs) {
      isStopping = true;
      if (how === undefined) await end(child, graceMs, options.contained);
      log.close();
    },
  };
}

/**
 * `setpriv --pdeathsig` ends `unshare` with us, and `--kill-child` everything in its namespace with it. The shell is there because the first
 * process of a PID namespace gets no SIGTERM that it doesn't handle. Root keeps all its users (PostgreSQL changes to one), others keep theirs.
 */
function containment(contained: boolean): readonly string[] {
  if (!contained) return [];
  const user = process.getuid?.() === 0 ? [] : ["--user", "--map-current-user"];
  // The handler stands before there is a child: a signal that comes in between is passed on afterwards.
  const shell = 'trap "told=1; kill -TERM \\$! 2>/dev/null" TERM INT; "$@" & [ -z "$told" ] || kill -TERM $!; wait $!; wait $!';
  const namespaces = [...user, "--pid", "--mount-proc", "--fork", "--kill-child"];
  return [
    getProgram("setpriv"),
    "--pdeathsig",
    "KILL",
    "--",
    getProgram("unshare"),
    ...namespaces,
    "--",
    getProgram("sh"),
    "-c",
    shell,
    "sh",
  ];
}

async function end(child: ChildProcess, graceMs: number, contained: boolean): Promise<void> {
  const pid = child.pid;
  if (pid === undefined) return;
  const gone = new Promise<void>((resolveGone) => child.once("exit", () => resolveGone()));
  const target = contained ? (readChildren(pid)[0] ?? pid) : -pid;
  sendSignal(target, "SIGTERM");
  // The namespace's first process, not `unshare`: that one ends only when all others of the namespace have.
  const timer = setTimeout(() => sendSignal(target, "SIGKILL"), graceMs);
  await gone;
  clearTimeout(timer);
  if (!contained) await killGroup(pid);
}

/** Ends what is left of a process group, and waits for it: a bounded while, as a process may hang in the kernel. */
async function killGroup(group: number): Promise<void> {
  const deadline = performance.now() + GROUP_MS;
  while (performance.now() < deadline) {
    try {
      process.kill(-group, "SIGKILL");
    } catch {
      return;
    }
    await new Promise((resolveWait) => setTimeout(resolveWait, 10));
  }
}

async function waitUntilReady({ name, program }: OutsideProgramOptions, ended: () => string | undefined): Promise<void> {
  const deadline = performance.now() + program.readyTimeoutMs;
  while (program.ready !== undefined) {
    if (await answers(program.ready)) return;
    const how = ended();
    const help = `kumiko logs outside/${name}`;
    if (how !== undefined) throw new MeshError("io", `${name} ended before it was ready: ${how}`, { help });
    if (performance.now() > deadline)
      throw new MeshError("timeout", `${name} isn't ready after ${program.readyTimeoutMs / 1000} s`, { help });
    await new Promise((resolveWait) => setTimeout(resolveWait, POLL_MS));
  }
}

function answers(ready: string): Promise<boolean> {
  const [, host = "", port = ""] = /^tcp:([^:]+):(\d+)$/.exec(ready) ?? [];
  return new Promise((resolveAnswer) => {
    if (port !== "") {
      const socket = connect({ host, port: Number(port), timeout: 1000 });
      const done = (isOpen: boolean) => (socket.destroy(), resolveAnswer(isOpen));
      socket
        .once("connect", () => done(true))
        .once("error", () => done(false))
        .once("timeout", () => done(false));
      return;
    }
    const get = ready.startsWith("https:") ? httpsGet : httpGet;
    const options = { rejectUnauthorized: false, timeout: 1000, agent: false } as const;
    const asked = get(ready, options, (response) => {
      resolveAnswer((response.statusCode ?? 500) < 400);
      response.destroy();
    });
    asked.once("error", () => resolveAnswer(false)).once("timeout", () => asked.destroy());
  });
}
