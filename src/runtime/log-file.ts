import { closeSync, existsSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";

const MAX_BYTES = 10 * 1024 * 1024;

/** A workload's log, readable by its owner only. At 10 MB it becomes `FILE.1`, whose predecessor is dropped. */
export class LogFile {
  readonly #path: string;
  readonly #maxBytes: number;
  #file: number;
  #bytes: number;

  constructor(path: string, maxBytes = MAX_BYTES) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#file = openSync(path, "a", 0o600);
    this.#bytes = fstatSync(this.#file).size;
  }

  /** What can't be written, as on a full disk, is lost: whoever looks after processes must not end for their words. */
  write(chunk: Buffer | string): void {
    if (this.#file < 0) return;
    try {
      if (this.#bytes + chunk.length > this.#maxBytes && this.#bytes > 0) this.#rotate();
      this.#bytes += typeof chunk === "string" ? writeSync(this.#file, chunk) : writeSync(this.#file, chunk);
    } catch {
      // The next line may find room again.
    }
  }

  close(): void {
    if (this.#file >= 0) closeSync(this.#file);
    this.#file = -1;
  }

  /** The old descriptor goes last: where no new one can be had, lines go on into it. */
  #rotate(): void {
    if (existsSync(this.#path)) renameSync(this.#path, `${this.#path}.1`);
    const next = openSync(this.#path, "a", 0o600);
    closeSync(this.#file);
    this.#file = next;
    this.#bytes = 0;
  }
}
