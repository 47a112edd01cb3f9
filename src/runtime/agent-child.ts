import { type ChildProcess, spawn } from "node:child_process";
import { nextBackoff } from "./backoff.ts";
import type { LogFile } from "./log-file.ts";
import { sendSignal } from "./proc.ts";

export interface AgentChildOptions {
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly log: LogFile;
  /** The agent started again: it must be told of the proxies it may have forgotten. */
  readonly onRestart: () => void;
  readonly onEnd: (how: string) => void;
}

export interface AgentChild {
  /** It doesn't start again when it ends. What runs goes on. */
  retire(): void;
  stop(graceMs: number): Promise<void>;
}

const STOPPED_WAIT = 0.2;

/** Keeps the agent running. */
export function superviseAgent(options: AgentChildOptions): AgentChild {
  let child: ChildProcess | undefined;
  let timer: NodeJS.Timeout | undefined;
  let waitMs = 0;
  let isStopping = false;
  const start = () => {
    const startedAt = performance.now();
    const [program = "", ...args] = options.command;
    const started = spawn(program, args, { env: options.env, stdio: ["ignore", "pipe", "pipe"] });
    child = started;
    started.stdout.on("data", (chunk: Buffer) => options.log.write(chunk));
    started.stderr.on("data", (chunk: Buffer) => options.log.write(chunk));
    const ended = (how: string) => {
      if (child !== started) return;
      child = undefined;
      if (isStopping) return;
      options.onEnd(how);
      waitMs = nextBackoff(waitMs, performance.now() - startedAt);
      timer = setTimeout(() => (start(), options.onRestart()), waitMs * STOPPED_WAIT);
    };
    started.once("error", (error) => ended(error.message));
    started.once("exit", (code, signal) => ended(signal ?? `exit code ${code}`));
  };
  const retire = () => {
    isStopping = true;
    clearTimeout(timer);
  };
  start();
  return {
    retire,
    async stop(graceMs) {
      retire();
      const ending = child;
      if (ending?.pid === undefined) return;
      const gone = new Promise<void>((resolve) => ending.once("exit", () => resolve()));
      sendSignal(ending.pid, "SIGTERM");
      const killer = setTimeout(() => ending.kill("SIGKILL"), graceMs);
      await gone;
      clearTimeout(killer);
    },
  };
}
