import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { bounded, pause } from "./pause.ts";
import { watchProxy } from "./proxy-watch.ts";
import { retry } from "./retry.ts";

const listeners = (signal: AbortSignal) => getEventListeners(signal, "abort").length;

/** Ends when it was done so often; the most listeners that were there at any time. */
async function mostListeners(times: number, work: (signal: AbortSignal, again: () => void) => Promise<unknown>): Promise<number> {
  const end = new AbortController();
  let [done, most] = [0, 0];
  await work(end.signal, () => {
    most = Math.max(most, listeners(end.signal));
    if (++done === times) end.abort();
  });
  expect(done).toBe(times);
  expect(listeners(end.signal)).toBe(0);
  return most;
}

describe.each([3, 30, 300])("a loop of %i rounds leaves no listener behind on the signal that ends it:", (times) => {
  test("one that waits", async () => {
    const most = await mostListeners(times, async (signal, again) => {
      for (; !signal.aborted; again()) await pause(0, signal);
    });
    expect(most).toBeLessThanOrEqual(1);
  });

  test("one that tries again", async () => {
    const most = await mostListeners(times, (signal, again) =>
      retry(() => Promise.reject(new Error("no")), { signal, waitMs: 0, onFailure: again }),
    );
    expect(most).toBeLessThanOrEqual(1);
  });

  test.each([true, false])("one that watches a proxy (ready: %s)", async (isReady) => {
    const most = await mostListeners(times, async (signal, again) => {
      const ended = Promise.withResolvers<void>();
      signal.addEventListener("abort", () => ended.resolve(), { once: true });
      const ready = async () => (again(), isReady);
      await watchProxy({ ready, signal, onChange: () => {}, periodsMs: { starting: 0, steady: 0 } });
      await ended.promise;
    });
    expect(most).toBeLessThanOrEqual(2);
  });
});

test("a wait ends with its signal, also with one that came before", async () => {
  const end = new AbortController();
  const waiting = pause(1_000_000, end.signal);
  end.abort();
  await expect(waiting).resolves.toBeUndefined();
  await expect(pause(1_000_000, end.signal)).resolves.toBeUndefined();
});

test("what is waited for a bounded while may fail or stay away", async () => {
  await expect(bounded(Promise.reject(new Error("no")), 1_000_000)).resolves.toBeUndefined();
  await expect(bounded(Promise.resolve(), 1_000_000)).resolves.toBeUndefined();
  await expect(bounded(new Promise(() => {}), 1)).resolves.toBeUndefined();
});
