import { pause } from "./pause.ts";

export interface RetryOptions {
  readonly signal: AbortSignal;
  readonly waitMs: number;
  readonly onFailure: (thrown: unknown) => void;
}

/** Tries until it works; undefined when the signal came first. */
export async function retry<T>(attempt: () => Promise<T>, { signal, waitMs, onFailure }: RetryOptions): Promise<T | undefined> {
  while (!signal.aborted) {
    try {
      return await attempt();
    } catch (thrown) {
      onFailure(thrown);
      await pause(waitMs, signal);
    }
  }
  return undefined;
}
