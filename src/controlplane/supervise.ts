import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";

export interface SuperviseOptions {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Output goes to the end of this file (0600). */
  readonly logFile: string;
  /** Says that the process ended by itself and when it starts again. */
  readonly onEnd: (how: string, againInMs: number) => void;
}

export interface Supervised {
  readonly pid: () => number | undefined;
  /** Ends the process for good: SIGTERM, after the grace period SIGKILL. */
  stop(graceMs: number): Promise<void>;
}

const FIRST_WAIT_MS = 200;
const MAX_WAIT_MS = 10_000;
/** A process that ran this long has earned a quick start again. */
const STEADY_MS = 30_000;

/** Keeps one process running: when it ends by itself it starts again, after waits that double. */
export function supervise(options: SuperviseOptions): Supervised {
  let child: ChildProcess | undefined;
  let timer: NodeJS.Timeout | undefined;
  let waitMs = FIRST_WAIT_MS;
  let stopped = false;

  function start(): void {
    const log = openSync(options.logFile, "a", 0o600);
    const startedAt = performance.now();
    const [program, ...args] = options.command;
    const started = spawn(program, args, { cwd: options.cwd, env: options.env, stdio: ["ignore", log, log] });
    closeSync(log);
    child = started;
    const ended = (how: string) => {
      if (child !== started) return;
      child = undefined;
      if (stopped) return;
      if (performance.now() - startedAt > STEADY_MS) waitMs = FIRST_WAIT_MS;
      options.onEnd(how, waitMs);
      timer = setTimeout(start, waitMs);
      waitMs = Math.min(waitMs * 2, MAX_WAIT_MS);
    };
    started.once("error", (error) => ended(error.message));
    started.once("exit", (code, signal) => ended(signal === null ? `exit code ${code}` : signal));
  }

  start();
  return {
    pid: () => child?.pid,
    async stop(graceMs) {
      stopped = true;
      clearTimeout(timer);
      const ending = child;
      if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
      await end(ending, graceMs);
    },
  };
}

/** SIGTERM, and SIGKILL when that did not help; resolves when the process is gone. */
export async function end(child: ChildProcess, graceMs: number): Promise<void> {
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGTERM");
  const kill = setTimeout(() => child.kill("SIGKILL"), graceMs);
  await gone;
  clearTimeout(kill);
}
