import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import { pause } from "../pause.ts";

const run = promisify(execFile);

/** A program that a test started. Only this one is ever killed. */
export interface Child {
  readonly pid: number;
  readonly output: () => string;
  readonly isRunning: () => boolean;
  end(signal: NodeJS.Signals): Promise<void>;
}

export function startChild(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Child {
  const child: ChildProcess = spawn(command, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(child, "close").catch(() => undefined);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => (output = (output + text).slice(-20_000)));
  }
  child.on("error", (error) => (output += error.message));
  const isRunning = () => child.pid !== undefined && child.exitCode === null && child.signalCode === null;
  return {
    pid: child.pid ?? 0,
    output: () => output,
    isRunning,
    async end(signal) {
      if (isRunning()) child.kill(signal);
      await ended;
    },
  };
}

/** Waits until `look` says something. @throws when the program ends first, or after `ms`. */
export async function untilUp(child: Child, ms: number, look: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await look().catch(() => false))) {
    if (!child.isRunning()) throw new Error(`it ended at once:\n${child.output()}`);
    if (Date.now() > deadline) {
      await child.end("SIGKILL");
      throw new Error(`it was not up in time:\n${child.output()}`);
    }
    await pause(100, new AbortController().signal);
  }
}

/** What a program prints, or undefined where it is not there or fails. */
export async function outputOf(command: string, args: readonly string[], timeoutMs: number): Promise<string | undefined> {
  return await run(command, [...args], { timeout: timeoutMs, maxBuffer: 4_000_000 }).then(
    ({ stdout }) => stdout,
    () => undefined,
  );
}
