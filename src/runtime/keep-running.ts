import type { ChildProcess } from "node:child_process";
import { ESSENTIAL, nextBackoff } from "./backoff.ts";

export interface KeepRunningOptions {
  readonly start: () => ChildProcess;
  /** It started again. */
  readonly onRestart?: () => void;
  /** It ended by itself, and starts again after so long. Returning false leaves it at that. */
  readonly onEnd: (how: string, againInMs: number) => boolean | void;
}

export interface KeptRunning {
  /** What runs now; undefined between an end and the next start. */
  readonly child: () => ChildProcess | undefined;
  /** It doesn't start again when it ends. What runs goes on. */
  retire(): void;
  /** It never starts again; what runs is ended by `end`, which resolves when it is gone. */
  stop(end: (child: ChildProcess) => Promise<void>): Promise<void>;
}

/** Keeps one process running: when it ends by itself it starts again, after waits that double. */
export function keepRunning({ start, onRestart, onEnd }: KeepRunningOptions): KeptRunning {
  let child: ChildProcess | undefined;
  let timer: NodeJS.Timeout | undefined;
  let waitMs = 0;
  let isStopping = false;
  const again = (how: string, startedAt: number) => {
    waitMs = nextBackoff(waitMs, performance.now() - startedAt, ESSENTIAL);
    if (onEnd(how, waitMs) === false) return;
    timer = setTimeout(restart, waitMs);
  };
  const run = () => {
    const startedAt = performance.now();
    const started = start();
    child = started;
    const ended = (how: string) => {
      if (child !== started) return;
      child = undefined;
      if (!isStopping) again(how, startedAt);
    };
    started.once("error", (error) => ended(error.message));
    started.once("exit", (code, signal) => ended(signal ?? `exit code ${code}`));
  };
  // Nobody is there to catch what a timer throws: a log that can't be opened, say, must not end the one who keeps others running.
  const restart = () => {
    const startedAt = performance.now();
    try {
      run();
    } catch (thrown) {
      return again(thrown instanceof Error ? thrown.message : String(thrown), startedAt);
    }
    onRestart?.();
  };
  const retire = () => {
    isStopping = true;
    clearTimeout(timer);
  };
  run();
  return {
    child: () => child,
    retire,
    async stop(end) {
      retire();
      if (child?.pid !== undefined) await end(child);
    },
  };
}

/** SIGTERM, and SIGKILL when that did not help, or with the signal; resolves when the process is gone. */
export async function endChild(child: ChildProcess, graceMs: number, atOnce?: AbortSignal): Promise<void> {
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGTERM");
  const kill = () => void child.kill("SIGKILL");
  const timer = setTimeout(kill, atOnce?.aborted === true ? 0 : graceMs);
  atOnce?.addEventListener("abort", kill);
  await gone;
  atOnce?.removeEventListener("abort", kill);
  clearTimeout(timer);
}
