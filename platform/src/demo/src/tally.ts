/** What a flow came to. Times are in milliseconds. */
export interface FlowResult {
  readonly flow: string;
  readonly requests: number;
  readonly failed: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** Failures that look the same. */
export interface Failure {
  readonly flow: string;
  readonly what: string;
  /** It had a status and said what was wrong: a problem, or a proxy's line of text. */
  readonly isClear: boolean;
  readonly count: number;
}

interface Counted {
  readonly times: number[];
  readonly failures: Map<string, { readonly isClear: boolean; count: number }>;
}

/** Counts requests by flow: how long they took, and why they failed. */
export class Tally {
  readonly #flows = new Map<string, Counted>();

  succeeded(flow: string, ms: number): void {
    this.#flow(flow).times.push(ms);
  }

  failed(flow: string, ms: number, failure: { readonly what: string; readonly isClear: boolean }): void {
    const counted = this.#flow(flow);
    counted.times.push(ms);
    const known = counted.failures.get(failure.what) ?? { isClear: failure.isClear, count: 0 };
    known.count++;
    counted.failures.set(failure.what, known);
  }

  results(): readonly FlowResult[] {
    return [...this.#flows].map(([flow, { times, failures }]) => {
      const sorted = times.toSorted((a, b) => a - b);
      const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? 0;
      const failed = [...failures.values()].reduce((sum, { count }) => sum + count, 0);
      return { flow, requests: times.length, failed, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
    });
  }

  failures(): readonly Failure[] {
    return [...this.#flows].flatMap(([flow, { failures }]) => [...failures].map(([what, counted]) => ({ flow, what, ...counted })));
  }

  #flow(name: string): Counted {
    const known = this.#flows.get(name);
    if (known !== undefined) return known;
    const made: Counted = { times: [], failures: new Map() };
    this.#flows.set(name, made);
    return made;
  }
}
