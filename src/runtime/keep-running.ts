import type { ChildProcess } from "node:child_process";
import { statSync } from "node:fs";
import { type Backoff, nextBackoff } from "../base/backoff.ts";

/** Of what everything else stands on, while it can't come up. */
const ESSENTIAL: Backoff = { firstMs: 200, longestMs: 10_000, steadyMs: 30_000 };

/** Of one that had come up: with its own start, and the wait of those who connect to it again, it is to be back within 10 s. */
const SERVED: Backoff = { ...ESSENTIAL, longestMs: 2000 };

/** How often one that runs is looked at. */
const LOOK_MS = 250;

export interface KeepRunningOptions {
  readonly start: () => ChildProcess;
  /** It started again. */
  readonly onRestart?: () => void;
  /** Asked while it runs and when it ended: whether it has come up. One that had is never kept waiting for long. */
  readonly hadComeUp?: () => boolean;
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

/** Keeps one process running: when it ends by itself it starts again, after waits that double: up to 10 s where it can't come up at all. */
export function keepRunning({ start, onRestart, hadComeUp = () => false, onEnd }: KeepRunningOptions): KeptRunning {
  let child: ChildProcess | undefined;
  let timer: NodeJS.Timeout | undefined;
  let waitMs = 0;
  let isStopping = false;
  const again = (how: string, startedAt: number, wasUp: boolean) => {
    waitMs = nextBackoff(waitMs, performance.now() - startedAt, wasUp ? SERVED : ESSENTIAL);
    if (onEnd(how, waitMs) === false) return;
    timer = setTimeout(restart, waitMs);
  };
  const run = () => {
    const startedAt = performance.now();
    const started = start();
    child = started;
    // One that ends in order takes its socket away: what it had been is known from before.
    let wasUp = false;
    const look = setInterval(() => (wasUp ||= hadComeUp()), LOOK_MS).unref();
    const ended = (how: string) => {
      clearInterval(look);
      if (child !== started) return;
      child = undefined;
      if (!isStopping) again(how, startedAt, wasUp || hadComeUp());
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
      return again(thrown instanceof Error ? thrown.message : String(thrown), startedAt, false);
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

/** Tells one start of a program from the next by the socket that it listens on once it is up: each makes a file of its own. */
export class ListeningSocket {
  readonly #path: string;
  #before: string | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** A program starts: what stands there is of an earlier one. */
  begin(): void {
    this.#before = this.#file();
  }

  /** The program that began last has listened. */
  hasListened(): boolean {
    const now = this.#file();
    return now !== undefined && now !== this.#before;
  }

  /** Undefined where there is none, or none can be seen: who looks after a process must not end for that. */
  #file(): string | undefined {
    try {
      const { ino, ctimeNs } = statSync(this.#path, { bigint: true });
      return `${ino} ${ctimeNs}`;
    } catch {
      return undefined;
    }
  }
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
