import { pause } from "./pause.ts";

export interface ProxyWatchOptions {
  /** A rejection says nothing of the proxy: it goes on without an agent. */
  readonly ready: () => Promise<boolean>;
  readonly signal: AbortSignal;
  readonly onChange: (isReady: boolean) => void;
  /** Between two questions, before it is ready and then. */
  readonly periodsMs?: { readonly starting: number; readonly steady: number };
}

const PERIODS_MS = { starting: 100, steady: 1000 };

/** Resolves when the proxy is ready for the first time, or the signal came; goes on watching it until then. */
export function watchProxy({ ready, signal, onChange, periodsMs = PERIODS_MS }: ProxyWatchOptions): Promise<void> {
  const first = Promise.withResolvers<void>();
  void (async () => {
    let wasReady = false;
    while (!signal.aborted) {
      const isReady = await ready().catch(() => wasReady);
      if (isReady !== wasReady && !signal.aborted) onChange(isReady);
      wasReady = isReady;
      if (isReady) first.resolve();
      await pause(isReady ? periodsMs.steady : periodsMs.starting, signal);
    }
    first.resolve();
  })();
  return first.promise;
}
