import type { LogFile } from "./log-file.ts";
import { pause } from "./pause.ts";
import type { Container } from "./pod.ts";
import { runProbe, type ProbeTarget } from "./probe-action.ts";
import { ProbeLoop } from "./probe-loop.ts";
import type { Sandbox } from "./sandbox.ts";
import { type ProcessCommand, WorkloadProcess } from "./workload-process.ts";

export interface ContainerRunOptions {
  readonly container: Container;
  readonly sandbox: Sandbox;
  readonly log: LogFile;
  readonly portOf: (declared: number) => number;
  readonly prepare: () => ProcessCommand | { readonly missing: string };
  readonly graceMs: number;
  /** An init container: it runs once, to its end. */
  readonly runsOnce?: boolean;
  readonly onChange: () => void;
}

type Hook = NonNullable<NonNullable<Container["lifecycle"]>["preStop"]>;

/** A hook that takes longer counts as failed. */
const POST_START_MS = 600_000;
/** What a preStop hook that took the whole grace period leaves for SIGTERM, as on Kubernetes. */
const AFTER_HOOK_MS = 2000;

/** One container: its process, and probes for as long as the process runs. */
export class ContainerRun {
  readonly #options: ContainerRunOptions;
  readonly #process: WorkloadProcess;
  #command: ProcessCommand = { command: [], workingDir: "/", env: {} };
  #probes: ProbeLoop | undefined;
  #isEnding = false;
  #isDone = false;
  #starts = 0;

  constructor(options: ContainerRunOptions) {
    this.#options = options;
    this.#process = new WorkloadProcess({
      sandbox: options.sandbox,
      log: options.log,
      prepare: () => {
        const prepared = options.prepare();
        if ("command" in prepared) this.#command = prepared;
        return prepared;
      },
      ...(options.runsOnce === true && { onSuccess: () => this.#succeed() }),
      onChange: () => this.#processChanged(),
    });
    this.#process.start();
  }

  get isReady(): boolean {
    return this.#process.isRunning && this.#probes?.health.ready === true;
  }

  /** An init container has done its work. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** Its process runs, its postStart hook and its startup probe have succeeded: what comes after it may begin. */
  get isStarted(): boolean {
    return this.#process.isRunning && this.#probes?.health.started === true;
  }

  get restarts(): number {
    return this.#process.restarts;
  }

  get message(): string {
    if (!this.#process.isRunning) return `${this.#options.container.name}: ${this.#process.message}`;
    return this.isReady ? "" : `${this.#options.container.name}: not ready yet`;
  }

  /** preStop, SIGTERM, and SIGKILL at the deadline (of `performance.now()`); the container doesn't start again meanwhile. */
  async stop(deadline: number): Promise<void> {
    this.#probes?.close();
    this.#process.retire();
    const leftMs = () => Math.max(0, Math.ceil(deadline - performance.now()));
    const hasHook = this.#options.container.lifecycle?.preStop !== undefined && this.#process.isRunning && leftMs() > 0;
    if (hasHook) await Promise.race([this.#runPreStop(leftMs()), this.#process.ended()]);
    await this.#process.stop(hasHook ? Math.max(leftMs(), AFTER_HOOK_MS) : leftMs());
  }

  async #runPreStop(limitMs: number): Promise<void> {
    await this.#runHook(this.#options.container.lifecycle?.preStop ?? {}, limitMs);
  }

  async #runHook({ sleep, ...action }: Hook, limitMs: number): Promise<boolean> {
    if (sleep === undefined) return await runProbe(action, this.#target(), limitMs);
    await pause(Math.min((sleep.seconds ?? 0) * 1000, limitMs));
    return true;
  }

  #processChanged(): void {
    this.#probes?.close();
    this.#probes = undefined;
    this.#starts += 1;
    if (this.#process.isRunning) void this.#afterStart(this.#starts);
    this.#options.onChange();
  }

  /** Nothing is asked of a container before its postStart hook has succeeded; one whose hook fails is started again. */
  async #afterStart(start: number): Promise<void> {
    const { container, log, graceMs, onChange } = this.#options;
    const postStart = container.lifecycle?.postStart;
    const succeeded = postStart === undefined || (await this.#runHook(postStart, POST_START_MS));
    if (start !== this.#starts || !this.#process.isRunning) return;
    if (succeeded) {
      this.#probes = this.#startProbes();
      if (postStart !== undefined) onChange();
      return;
    }
    log.write(`[kumiko] the postStart hook of ${container.name} failed; it is started again\n`);
    await this.#process.restart(graceMs);
  }

  #succeed(): void {
    this.#isDone = true;
  }

  #startProbes(): ProbeLoop {
    const { startupProbe, livenessProbe, readinessProbe } = this.#options.container;
    this.#isEnding = false;
    return new ProbeLoop({
      specs: {
        ...(startupProbe && { startup: startupProbe }),
        ...(livenessProbe && { liveness: livenessProbe }),
        ...(readinessProbe && { readiness: readinessProbe }),
      },
      ask: (spec, timeoutMs) => runProbe(spec, this.#target(), timeoutMs),
      onChange: (health) => {
        if (health.mustRestart && !this.#isEnding) {
          this.#isEnding = true;
          this.#options.log.write(`[kumiko] a probe of ${this.#options.container.name} failed; it is started again\n`);
          void this.#process.restart(this.#options.graceMs);
        }
        this.#options.onChange();
      },
    });
  }

  #target(): ProbeTarget {
    const { container, sandbox, portOf } = this.#options;
    return { container, sandbox, portOf, workingDir: this.#command.workingDir, env: this.#command.env };
  }
}
