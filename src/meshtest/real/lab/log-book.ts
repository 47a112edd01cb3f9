import type { ProxyLogLine, WorkloadRef } from "../../../evaluate/index.ts";
import { type RawLogLine, readLogLine } from "./access-log.ts";
import { Wake } from "./wake.ts";

export interface LoggingPod {
  readonly workload: WorkloadRef;
  readonly address: string;
  readonly hasProxy: boolean;
}

interface Entry extends RawLogLine {
  readonly pod: number;
}

/** What must have been logged before an exchange is whole. */
export interface ExpectedLines {
  /** How many requests met the proxy of each pod first. */
  readonly entered: ReadonlyMap<number, number>;
  /** How many requests the application of each pod saw. */
  readonly arrived: ReadonlyMap<number, number>;
}

/** The lines of all proxies of one mesh, and whether they tell the whole story. */
export class LogBook {
  readonly #pods: readonly LoggingPod[];
  readonly #byAddress: ReadonlyMap<string, number>;
  readonly #wake = new Wake();
  /** Connections that are still open and of which a request was logged. */
  readonly #carriedRequests = new Set<string>();
  #entries: Entry[] = [];
  #sinceMs = 0;

  constructor(pods: readonly LoggingPod[]) {
    this.#pods = pods;
    this.#byAddress = new Map(pods.flatMap(({ address, hasProxy }, i) => (hasProxy ? [[address, i] as const] : [])));
  }

  add(pod: number, value: unknown): void {
    const raw = readLogLine(value);
    if (raw === undefined) return;
    const entry = { pod, ...raw };
    if (entry.of === "request") this.#carriedRequests.add(connectionOf(entry));
    else if (entry.of === "connection" && (this.#carriedRequests.delete(connectionOf(entry)) || !tellsSomething(entry))) return;
    if (entry.startedAtMs < this.#sinceMs) return;
    this.#entries.push(entry);
    this.#wake.all();
  }

  /** Begins an exchange: lines that come late, of what began before, are of an earlier one. */
  clear(nowMs = 0): void {
    this.#entries = [];
    this.#sinceMs = nowMs;
  }

  /** The lines in the order in which their requests began, as soon as none is missing, at the latest when the time is over. */
  async take(expected: ExpectedLines, deadlineMs: number): Promise<readonly ProxyLogLine[]> {
    while (!this.#isWhole(expected) && performance.now() < deadlineMs) await this.#wake.next(deadlineMs - performance.now());
    const entries = this.#entries.toSorted((one, other) => one.startedAtMs - other.startedAtMs);
    this.#entries = [];
    return entries.flatMap(({ pod, line }) => {
      const workload = this.#pods[pod]?.workload;
      return workload === undefined ? [] : [{ workload, ...line }];
    });
  }

  #isWhole({ entered, arrived }: ExpectedLines): boolean {
    const hasAll = ([pod, count]: readonly [number, number], own: (entry: Entry) => boolean) =>
      this.#pods[pod]?.hasProxy !== true || this.#entries.filter((entry) => entry.pod === pod && own(entry)).length >= count;
    return (
      [...entered].every((one) => hasAll(one, () => true)) && [...arrived].every((one) => hasAll(one, isInbound)) && this.#hasBothEnds()
    );
  }

  /** Each request that one proxy passed on to another is in the other's lines, too. */
  #hasBothEnds(): boolean {
    const missing = new Map<string, number>();
    for (const { line } of this.#entries) {
      const { upstreamLocal } = line;
      const next = this.#byAddress.get(hostOf(line.upstreamHost));
      if (line.direction === "inbound" || next === undefined || upstreamLocal === undefined || line.flags?.includes("UF") === true)
        continue;
      const key = `${next} ${upstreamLocal}`;
      missing.set(key, (missing.get(key) ?? 0) + 1);
    }
    for (const entry of this.#entries) {
      const key = connectionOf(entry);
      missing.set(key, (missing.get(key) ?? 0) - 1);
    }
    return [...missing.values()].every((count) => count <= 0);
  }
}

/** A connection's own line counts only where nothing else is logged of it: it was closed before a request came or a cluster was chosen. */
function tellsSomething({ line }: RawLogLine): boolean {
  if (line.cluster !== undefined) return false;
  return line.transportFailure !== undefined || line.terminationDetails !== undefined || line.details !== undefined;
}

function connectionOf({ pod, line }: Entry): string {
  return `${pod} ${line.remote}`;
}

function isInbound({ line }: Entry): boolean {
  return line.direction !== "outbound";
}

function hostOf(address: string | undefined): string {
  return address?.slice(0, address.lastIndexOf(":")) ?? "";
}
