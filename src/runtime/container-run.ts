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
  readonly onChange: () => void;
}

/** What a preStop hook that took the whole grace period leaves for SIGTERM, as on Kubernetes. */
const AFTER_HOOK_MS = 2000;

/** One container: its process, and probes for as long as the process runs. */
export class ContainerRun {
  readonly #options: ContainerRunOptions;
  readonly #process: WorkloadProcess;
  #command: ProcessCommand = { command: [], workingDir: "/", env: {} };
  #probes: ProbeLoop | undefined;
  #isEnding = false;

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
      onChange: () => this.#processChanged(),
    });
    this.#process.start();
  }

  get isReady(): boolean {
    return this.#process.isRunning && this.#probes?.health.ready === true;
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
    const { preStop } = this.#options.container.lifecycle ?? {};
    if (preStop?.sleep !== undefined) return await pause(Math.min((preStop.sleep.seconds ?? 0) * 1000, limitMs));
    await runProbe(preStop ?? {}, this.#target(), limitMs);
  }

  #processChanged(): void {
    this.#probes?.close();
    this.#probes = this.#process.isRunning ? this.#startProbes() : undefined;
    this.#options.onChange();
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
