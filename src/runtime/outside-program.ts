import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, constants, openSync, readSync, rmSync } from "node:fs";
import { get as httpGet } from "node:http";
import { get as httpsGet } from "node:https";
import { connect } from "node:net";
import { isAbsolute, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { MeshError } from "../model/error.ts";
import type { ProgramStatus } from "../model/program-status.ts";
import { type KeptRunning, keepRunning } from "./keep-running.ts";
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
  /** Where the program may say, a line each, what is weaker than it should be: it finds the path in `KUMIKO_WEAKER`. */
  readonly weakerFile: string;
  /** Something of its state is different. */
  readonly onChange: (state: ProgramStatus) => void;
  /** A PID namespace of its own, so that a `kill -9` of ours leaves none of its processes; where the system has namespaces. */
  readonly contained: boolean;
}

export interface RunningProgram {
  readonly name: string;
  /** Resolves when the program is ready for the first time. @throws MeshError `timeout` or `io`, naming its log. */
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
const STEADY_POLL_MS = 1000;
/** A program under load may miss one. */
const MISSES = 2;
const GROUP_MS = 2000;

/**
 * Starts a program on the host and watches it. Until it has been ready once, its end is the start's failure; after that it starts again, after
 * waits that double.
 */
export function startOutsideProgram(options: OutsideProgramOptions): RunningProgram {
  const watch = new ProgramWatch(options);
  return { name: options.name, ready: watch.firstReady(), stop: (graceMs) => watch.stop(graceMs) };
}

class ProgramWatch {
  readonly #options: OutsideProgramOptions;
  readonly #kept: KeptRunning;
  #state: ProgramStatus;
  #ended: string | undefined;
  #hasBeenReady: boolean;
  /** The one that runs now, or ran last, has been ready. */
  #hadComeUp = false;
  #isStopping = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: OutsideProgramOptions) {
    this.#options = options;
    this.#hasBeenReady = options.program.ready === undefined;
    this.#state = { name: options.name, ready: this.#hasBeenReady, restarts: 0, message: this.#hasBeenReady ? "" : "starting", weaker: [] };
    this.#kept = keepRunning({
      start: () => this.#start(),
      hadComeUp: () => this.#hadComeUp,
      onEnd: (how, againInMs) => this.#onEnd(how, againInMs),
      onRestart: () =>
        this.#set({ restarts: this.#state.restarts + 1, message: "starting again", ready: options.program.ready === undefined }),
    });
  }

  async firstReady(): Promise<void> {
    const { name, program } = this.#options;
    const deadline = performance.now() + program.readyTimeoutMs;
    const help = `kumiko logs outside/${name}`;
    while (program.ready !== undefined && !(await answers(program.ready))) {
      if (this.#ended !== undefined) throw new MeshError("io", `${name} ended before it was ready: ${this.#ended}`, { help });
      if (performance.now() > deadline)
        throw new MeshError("timeout", `${name} isn't ready after ${program.readyTimeoutMs / 1000} s`, { help });
      await new Promise((resolveWait) => setTimeout(resolveWait, POLL_MS));
    }
    this.#hasBeenReady = true;
    this.#set({ ready: true });
    this.#follow(0);
  }

  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#timer);
    await this.#kept.stop((child) => end(child, graceMs, this.#options.contained));
    this.#options.log.close();
  }

  #start(): ChildProcess {
    const { program, folder, log, env, contained, weakerFile } = this.#options;
    const cwd = isAbsolute(program.workingDir) ? program.workingDir : resolve(folder, program.workingDir);
    const [file = "", ...args] = [...containment(contained), ...program.command];
    rmSync(weakerFile, { force: true });
    this.#hadComeUp = false;
    const all = { ...env, ...program.env, [WEAKER_VARIABLE]: weakerFile };
    const child = spawn(file, args, { cwd, env: all, stdio: ["ignore", "pipe", "pipe"], detached: true });
    for (const output of [child.stdout, child.stderr]) output.on("data", (chunk: Buffer) => log.write(chunk));
    // What it leaves behind would hold its port.
    const { pid } = child;
    if (!contained && pid !== undefined) child.once("exit", () => sendSignal(-pid, "SIGKILL"));
    return child;
  }

  #onEnd(how: string, againInMs: number): boolean {
    this.#ended = how;
    if (!this.#hasBeenReady) return false;
    this.#set({ ready: false, message: `${how}; starts again in ${againInMs / 1000} s` });
    return true;
  }

  /** Asks again and again whether it answers; a process that is there isn't enough. */
  #follow(misses: number): void {
    if (this.#isStopping) return;
    this.#timer = setTimeout(() => void this.#look(misses), this.#state.ready ? STEADY_POLL_MS : POLL_MS);
  }

  async #look(misses: number): Promise<void> {
    const { ready } = this.#options.program;
    const child = this.#kept.child();
    const isThere = child !== undefined && (ready === undefined || (await answers(ready)));
    if (this.#isStopping) return;
    // One that ended while it was asked was asked in vain.
    if (isThere && this.#kept.child() === child) this.#set({ ready: true });
    else if (child !== undefined && misses + 1 >= MISSES && this.#state.ready)
      this.#set({ ready: false, message: `it doesn't answer at ${ready}` });
    this.#follow(isThere ? 0 : misses + 1);
  }

  #set(change: Partial<ProgramStatus>): void {
    const before = this.#state;
    const next = { ...before, ...change };
    this.#hadComeUp ||= next.ready && this.#options.program.ready !== undefined;
    this.#state = next.ready ? { ...next, message: "", weaker: readWeaker(this.#options.weakerFile) } : next;
    if (isDeepStrictEqual(before, this.#state)) return;
    if (this.#state.message !== before.message && this.#state.message !== "") this.#options.log.write(`[kumiko] ${this.#state.message}\n`);
    this.#options.onChange(this.#state);
  }
}

const WEAKER_VARIABLE = "KUMIKO_WEAKER";
const WEAKER_BYTES = 4096;

/** What a program says there, as far as a few words go. Whatever else stands in its place says nothing. */
export function readWeaker(file: string): readonly string[] {
  try {
    // A pipe without a writer would hold up whoever reads it.
    const descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const bytes = Buffer.alloc(WEAKER_BYTES);
      const text = bytes.subarray(0, readSync(descriptor, bytes, 0, WEAKER_BYTES, null)).toString("utf8");
      return text.split("\n").flatMap((line) => line.replaceAll(/\p{Cc}/gu, "").trim() || []);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return [];
  }
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
