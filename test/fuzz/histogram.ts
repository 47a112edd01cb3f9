import { COMMON, RARER, type VerdictClass } from "./verdict-class.ts";

/** How often each class of verdict came. */
export class Histogram {
  readonly #counts = new Map<VerdictClass, number>([...COMMON, ...RARER].map((name) => [name, 0]));

  add(verdict: VerdictClass): void {
    this.#counts.set(verdict, (this.#counts.get(verdict) ?? 0) + 1);
  }

  get total(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Of all, from 0 to 1. */
  shareOf(verdict: VerdictClass): number {
    return (this.#counts.get(verdict) ?? 0) / Math.max(1, this.total);
  }

  /** One line a class, the commonest first. */
  toString(): string {
    const rows = [...this.#counts].toSorted(([, a], [, b]) => b - a);
    return rows
      .map(([name, count]) => `${(100 * this.shareOf(name)).toFixed(1).padStart(5)} %  ${String(count).padStart(5)}  ${name}`)
      .join("\n");
  }
}
