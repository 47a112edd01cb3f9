import { spawn } from "node:child_process";
import { endChild, keepRunning, ListeningSocket } from "./keep-running.ts";
import type { LogFile } from "./log-file.ts";

export interface AgentChildOptions {
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly log: LogFile;
  /** What it listens on once it is up. */
  readonly socket: string;
  /** The agent started again: it must be told of the proxies it may have forgotten. */
  readonly onRestart: () => void;
  readonly onEnd: (how: string) => void;
}

export interface AgentChild {
  /** It doesn't start again when it ends. What runs goes on. */
  retire(): void;
  stop(graceMs: number): Promise<void>;
}

/** Keeps the agent running. */
export function superviseAgent({ command, env, log, socket, onRestart, onEnd }: AgentChildOptions): AgentChild {
  const listening = new ListeningSocket(socket);
  const kept = keepRunning({
    start() {
      listening.begin();
      const [program = "", ...args] = command;
      const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
      for (const output of [child.stdout, child.stderr]) output.on("data", (chunk: Buffer) => log.write(chunk));
      return child;
    },
    onRestart,
    hadComeUp: () => listening.hasListened(),
    onEnd: (how) => onEnd(how),
  });
  return { retire: () => kept.retire(), stop: (graceMs) => kept.stop((child) => endChild(child, graceMs)) };
}
