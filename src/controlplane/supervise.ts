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
  /** It doesn't start again when it ends. What runs goes on. */
  retire(): void;
  /** Ends the process for good: SIGTERM, after the grace period, or with the signal, SIGKILL. */
  stop(graceMs: number, atOnce?: AbortSignal): Promise<void>;
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
    // A process group of its own: what a signal to ours ends, and when, is for us to say.
    const started = spawn(program, args, { cwd: options.cwd, env: options.env, stdio: ["ignore", log, log], detached: true });
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

  const retire = () => {
    stopped = true;
    clearTimeout(timer);
  };
  start();
  return {
    pid: () => child?.pid,
    retire,
    async stop(graceMs, atOnce) {
      retire();
      const ending = child;
      if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
      await end(ending, graceMs, atOnce);
    },
  };
}

/** SIGTERM, and SIGKILL when that did not help; resolves when the process is gone. */
export async function end(child: ChildProcess, graceMs: number, atOnce?: AbortSignal): Promise<void> {
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGTERM");
  const kill = () => void child.kill("SIGKILL");
  const timer = setTimeout(kill, atOnce?.aborted === true ? 0 : graceMs);
  atOnce?.addEventListener("abort", kill);
  await gone;
  atOnce?.removeEventListener("abort", kill);
  clearTimeout(timer);
}
