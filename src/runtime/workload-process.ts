import { type ChildProcess, spawn } from "node:child_process";
import { type Backoff, nextBackoff } from "../base/backoff.ts";
import type { LogFile } from "./log-file.ts";
import { sendSignal } from "./proc.ts";
import type { Sandbox } from "./sandbox.ts";

/** Like a kubelet's, but that it begins sooner and ends at a minute. */
const WORKLOADS: Backoff = { firstMs: 1000, longestMs: 60_000, steadyMs: 60_000 };

/** A command with all that it needs; made anew for each start, so that a ConfigMap that changed counts. */
export interface ProcessCommand {
  readonly command: readonly string[];
  readonly workingDir: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface WorkloadProcessOptions {
  readonly sandbox: Sandbox;
  readonly log: LogFile;
  /** The command, or why there can be none at the moment. */
  readonly prepare: () => ProcessCommand | { readonly missing: string };
  /** It runs to its end: exit code 0 is its success, which is told once; anything else starts it again. */
  readonly onSuccess?: () => void;
  /** It started, or ended; `message` says how. */
  readonly onChange: () => void;
}

/** One container as a process: started again with growing waits when it ends, until it is stopped. */
export class WorkloadProcess {
  readonly #options: WorkloadProcessOptions;
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #waitMs = 0;
  #stopping = false;
  restarts = 0;
  /** Empty while it runs; else why it doesn't. */
  message = "not started";

  constructor(options: WorkloadProcessOptions) {
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  start(): void {
    if (this.#stopping || this.#child !== undefined) return;
    const prepared = this.#options.prepare();
    if ("missing" in prepared) return this.#retry(prepared.missing, 0);
    const { sandbox, log } = this.#options;
    const [program = "", ...args] = sandbox.launch(prepared.command, prepared.workingDir);
    const startedAt = performance.now();
    const child = spawn(program, args, { env: prepared.env, stdio: ["ignore", "pipe", "pipe"], detached: true, cwd: "/" });
    this.#child = child;
    this.message = "";
    child.stdout?.on("data", (chunk: Buffer) => log.write(chunk));
    child.stderr?.on("data", (chunk: Buffer) => log.write(chunk));
    child.once("error", (error) => this.#ended(child, error.message, startedAt));
    child.once("exit", (code, signal) => this.#ended(child, signal === null ? `exit code ${code}` : `ended by ${signal}`, startedAt));
    if (child.pid !== undefined) sandbox.findApplication(child.pid);
    this.#options.onChange();
  }

  /** Ends the running process, which then starts again: a liveness probe failed. */
  async restart(graceMs: number): Promise<void> {
    await this.#end(graceMs);
  }

  /** It doesn't start again. What runs goes on. */
  retire(): void {
    this.#stopping = true;
    clearTimeout(this.#timer);
  }

  /** SIGTERM, after the grace period SIGKILL; never starts again. */
  async stop(graceMs: number): Promise<void> {
    this.retire();
    await this.#end(graceMs);
  }

  /** Resolves when the process that runs now has ended. */
  async ended(): Promise<void> {
    const child = this.#child;
    if (child !== undefined) await new Promise<void>((resolve) => child.once("exit", () => resolve()));
  }

  async #end(graceMs: number): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined) return;
    const { sandbox } = this.#options;
    const gone = this.ended();
    sendSignal(sandbox.findApplication(child.pid), "SIGTERM");
    const timer = setTimeout(() => sendSignal(sandbox.findApplication(child.pid ?? 0), "SIGKILL"), graceMs);
    await gone;
    clearTimeout(timer);
  }

  #ended(child: ChildProcess, how: string, startedAt: number): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#options.sandbox.killLeftovers(child.pid ?? 0);
    this.message = how;
    const { onSuccess } = this.#options;
    if (child.exitCode === 0 && onSuccess !== undefined && !this.#stopping) {
      this.retire();
      onSuccess();
    }
    if (this.#stopping) return this.#options.onChange();
    this.restarts += 1;
    this.#retry(how, performance.now() - startedAt);
  }

  #retry(why: string, ranForMs: number): void {
    this.#waitMs = nextBackoff(this.#waitMs, ranForMs, WORKLOADS);
    this.message = `${why}; starts again in ${this.#waitMs / 1000} s`;
    this.#options.log.write(`[kumiko] ${this.message}\n`);
    this.#timer = setTimeout(() => this.start(), this.#waitMs);
    this.#options.onChange();
  }
}
