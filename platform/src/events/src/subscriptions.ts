import type { Subscription } from "./broker.ts";

/** The subscriptions of a broker, each from its start to its stop. */
export class Subscriptions {
  readonly #running = new Set<Subscription>();

  /**
   * Starts the work of a subscription.
   *
   * @param work says by `isReady` when messages can arrive, and goes on until `stopping` is aborted; to stop is to wait for its end. It must not
   * reject: it tries on.
   */
  start(work: (stopping: AbortSignal, isReady: () => void) => Promise<void>): Subscription {
    const stopping = new AbortController();
    const ready = Promise.withResolvers<void>();
    const done = work(stopping.signal, ready.resolve);
    const subscription: Subscription = {
      ready: ready.promise,
      stop: async () => {
        this.#running.delete(subscription);
        stopping.abort();
        await done;
      },
    };
    this.#running.add(subscription);
    return subscription;
  }

  /** Stops those that run; resolves when the last has ended. */
  async stop(): Promise<void> {
    await Promise.all([...this.#running].map((one) => one.stop()));
  }
}
