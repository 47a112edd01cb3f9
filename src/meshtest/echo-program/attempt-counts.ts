import { closeSync, openSync } from "node:fs";
import { join } from "node:path";

// node:crypto is loaded when first needed: importing it costs every program of a lab some milliseconds.

/** Requests that are remembered; the oldest is forgotten first. */
const REMEMBERED = 10_000;

/**
 * Which attempt of a call a request is, by its `x-request-id`. With a folder, all programs that are given it count together: a retry may go to
 * another workload.
 */
export class AttemptCounts {
  readonly #folder: string | undefined;
  readonly #counts = new Map<string, number>();

  constructor(folder?: string) {
    this.#folder = folder;
  }

  /** 1 for the first. */
  next(requestId: string): number {
    const name = process.getBuiltinModule("node:crypto").createHash("sha256").update(requestId).digest("hex").slice(0, 32);
    let count = (this.#counts.get(name) ?? 0) + 1;
    if (this.#folder !== undefined) {
      while (!claim(join(this.#folder, `${name}-${count}`))) count += 1;
    }
    this.#counts.delete(name);
    this.#counts.set(name, count);
    const [oldest] = this.#counts.keys();
    if (oldest !== undefined && this.#counts.size > REMEMBERED) this.#counts.delete(oldest);
    return count;
  }
}

/** Whether the file was not there before. */
function claim(file: string): boolean {
  try {
    closeSync(openSync(file, "wx", 0o600));
    return true;
  } catch (error) {
    // A folder that is gone must not count for ever.
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}
