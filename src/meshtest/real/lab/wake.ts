/** Lets many wait for the next thing that happens, each for its own time. */
export class Wake {
  readonly #waiting = new Set<() => void>();

  /** Something happened: whoever waits goes on. */
  all(): void {
    for (const wake of this.#waiting) wake();
  }

  /** Resolves at the next `all`, at the latest after so many milliseconds. */
  next(forMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, forMs);
      this.#waiting.add(wake);
    });
  }
}
