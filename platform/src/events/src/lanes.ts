/** Runs tasks side by side, but those of one key one after the other, in the order in which they came. */
export class Lanes {
  readonly #width: number;
  readonly #last = new Map<string, Promise<void>>();
  readonly #running = new Set<Promise<void>>();

  constructor(width: number) {
    this.#width = width;
  }

  /** Resolves as soon as the task has its place; waits while `width` tasks are unfinished. A task must not reject. */
  async run(key: string, task: () => Promise<void>): Promise<void> {
    while (this.#running.size >= this.#width) await Promise.race(this.#running);
    const done = (this.#last.get(key) ?? Promise.resolve()).then(task).finally(() => {
      this.#running.delete(done);
      if (this.#last.get(key) === done) this.#last.delete(key);
    });
    this.#last.set(key, done);
    this.#running.add(done);
  }

  /** Resolves when all tasks have ended. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
