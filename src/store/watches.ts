import type { Change, Filter, WatchOptions } from "./store.ts";

/** Those who watch a store that keeps its changes: each has read up to a revision, and reads on when something was written. */
export class Watches {
  readonly #open = new Map<object, { readonly options: WatchOptions; revision: number }>();
  /** Changes after a revision in order; undefined where some of them are forgotten. */
  readonly #changesAfter: (revision: number) => readonly Change[] | undefined;
  #isScheduled = false;

  constructor(changesAfter: (revision: number) => readonly Change[] | undefined) {
    this.#changesAfter = changesAfter;
  }

  add(options: WatchOptions): { close(): void } {
    const handle = { close: () => void this.#open.delete(handle) };
    this.#open.set(handle, { options, revision: options.afterRevision });
    this.notify();
    return handle;
  }

  /** Later and once for all writes until then: a listener may write, too. */
  notify(): void {
    if (this.#isScheduled || this.#open.size === 0) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      for (const handle of this.#open.keys()) this.#deliver(handle);
    });
  }

  close(): void {
    this.#open.clear();
  }

  #deliver(handle: object): void {
    const watch = this.#open.get(handle);
    if (watch === undefined) return;
    const { options } = watch;
    const changes = this.#changesAfter(watch.revision);
    if (changes === undefined) {
      this.#open.delete(handle);
      return options.onExpired();
    }
    watch.revision = changes.at(-1)?.revision ?? watch.revision;
    const wanted = changes.filter(({ key }) => matches(key, options.filter));
    if (wanted.length > 0) options.onChanges(wanted);
  }
}

function matches(key: { readonly kind: string; readonly namespace: string }, filter: Filter = {}): boolean {
  return (filter.kind === undefined || key.kind === filter.kind) && (filter.namespace === undefined || key.namespace === filter.namespace);
}
