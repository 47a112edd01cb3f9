import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { keepLogBounded } from "../agent/index.ts";
import { endChild, keepRunning, ListeningSocket } from "../runtime/index.ts";

export interface SuperviseOptions {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Output goes to the end of this file (0600), whose older part goes to `FILE.1` when it grows large. */
  readonly logFile: string;
  /** What it listens on once it is up. */
  readonly socket: string;
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

const LOOK_MS = 1000;

/** Keeps one process running that writes its log itself. */
export function supervise({ command, env, cwd, logFile, socket, onEnd }: SuperviseOptions): Supervised {
  const listening = new ListeningSocket(socket);
  const kept = keepRunning({
    start() {
      listening.begin();
      const log = openSync(logFile, "a", 0o600);
      const [program, ...args] = command;
      // A process group of its own: what a signal to ours ends, and when, is for us to say.
      const child = spawn(program, args, { cwd, env, stdio: ["ignore", log, log], detached: true });
      closeSync(log);
      return child;
    },
    hadComeUp: () => listening.hasListened(),
    onEnd: (how, againInMs) => onEnd(how, againInMs),
  });
  const look = setInterval(() => keepLogBounded(logFile), LOOK_MS).unref();
  return {
    pid: () => kept.child()?.pid,
    retire: () => kept.retire(),
    async stop(graceMs, atOnce) {
      await kept.stop((child) => endChild(child, graceMs, atOnce));
      clearInterval(look);
    },
  };
}
