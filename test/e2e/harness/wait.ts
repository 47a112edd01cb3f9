export interface WaitOptions {
  readonly timeoutMs?: number;
  /** A reason to give up early. */
  readonly failed?: () => string | undefined;
  /** What a person needs to see when it did not happen. */
  readonly explain?: () => string;
}

/** Asks again until the answer is neither false nor undefined, and returns it; fails with what was waited for. */
export async function waitFor<T>(
  what: string,
  check: () => T | Promise<T>,
  options: WaitOptions = {},
): Promise<Exclude<T, false | undefined>> {
  const deadline = performance.now() + (options.timeoutMs ?? 60_000);
  let lastError: unknown;
  for (;;) {
    try {
      const value = await check();
      if (value !== false && value !== undefined) return value as Exclude<T, false | undefined>;
    } catch (error) {
      lastError = error;
    }
    const reason = options.failed?.() ?? (performance.now() > deadline ? "it took too long" : undefined);
    if (reason !== undefined) {
      throw new Error(
        `${what}: ${reason}${lastError === undefined ? "" : ` (last error: ${String(lastError)})`}\n${options.explain?.() ?? ""}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
