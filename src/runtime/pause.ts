import { setTimeout as wait } from "node:timers/promises";

/** Waits so long, or until the signal, and leaves nothing behind on it: a loop may wait a million times on one signal. */
export async function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  await wait(milliseconds, undefined, signal === undefined ? {} : { signal }).catch(() => {});
}

/** Waits for a promise, but no longer than this; a rejection counts as done. */
export async function bounded(promise: Promise<unknown>, limitMs: number): Promise<void> {
  const done = new AbortController();
  const settled = promise.catch(() => {}).finally(() => done.abort());
  await Promise.race([settled, pause(limitMs, done.signal)]);
}
