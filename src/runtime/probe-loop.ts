import {
  afterResult,
  NOT_PROBED,
  type ProbeKind,
  type ProbeSpec,
  type ProbeState,
  toContainerHealth,
  toProbeTiming,
  type ContainerHealth,
} from "./probe.ts";

export interface ProbeLoopOptions {
  readonly specs: Readonly<Partial<Record<ProbeKind, ProbeSpec>>>;
  readonly ask: (spec: ProbeSpec, timeoutMs: number) => Promise<boolean>;
  readonly onChange: (health: ContainerHealth) => void;
}

/** Before a readiness or startup probe has succeeded it is asked this often at most, so that start-up is not bound to a period of 10 s. */
const EAGER_MS = 250;

/** Probes one running container until it is closed. Liveness waits until the container has started. */
export class ProbeLoop {
  readonly #options: ProbeLoopOptions;
  readonly #states: Partial<Record<ProbeKind, ProbeState>> = {};
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #countedAt: Partial<Record<ProbeKind, number>> = {};
  #closed = false;

  constructor(options: ProbeLoopOptions) {
    this.#options = options;
    for (const kind of kindsOf(options.specs)) {
      this.#states[kind] = NOT_PROBED;
      this.#schedule(kind, toProbeTiming(options.specs[kind] ?? {}).initialDelayMs);
    }
  }

  get health(): ContainerHealth {
    return toContainerHealth(this.#states);
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #schedule(kind: ProbeKind, waitMs: number): void {
    if (this.#closed) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      void this.#ask(kind);
    }, waitMs);
    this.#timers.add(timer);
  }

  async #ask(kind: ProbeKind): Promise<void> {
    const spec = this.#options.specs[kind] ?? {};
    const timing = toProbeTiming(spec);
    const before = this.health;
    if (kind !== "startup" && !before.started) return this.#schedule(kind, Math.min(EAGER_MS, timing.periodMs));
    const succeeded = await this.#options.ask(spec, timing.timeoutMs);
    if (this.#closed) return;
    const state = this.#states[kind] ?? NOT_PROBED;
    const isEarly = kind !== "liveness" && state.verdict === "unknown" && !succeeded && this.#isEarly(kind, timing.periodMs);
    if (!isEarly) this.#states[kind] = afterResult(state, succeeded, timing);
    const after = this.health;
    if (before.ready !== after.ready || before.started !== after.started || after.mustRestart) this.#options.onChange(after);
    if (kind === "startup" && after.started) return;
    this.#schedule(kind, kind !== "liveness" && !after.ready ? Math.min(EAGER_MS, timing.periodMs) : timing.periodMs);
  }

  /** Questions between two periods are eager ones: their failures don't count, one for each full period does. */
  #isEarly(kind: ProbeKind, periodMs: number): boolean {
    const now = performance.now();
    const countedAt = (this.#countedAt[kind] ??= now);
    if (now - countedAt < periodMs) return true;
    this.#countedAt[kind] = now;
    return false;
  }
}

function kindsOf(specs: ProbeLoopOptions["specs"]): readonly ProbeKind[] {
  return (["startup", "liveness", "readiness"] as const).filter((kind) => specs[kind] !== undefined);
}
