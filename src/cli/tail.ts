import { closeSync, fstatSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import { pause } from "../runtime/pause.ts";

const PIECE_BYTES = 64 * 1024;
const LINE_FEED = 0x0a;
const LOOK_AGAIN_MS = 200;
/** So much of a log is found once in it: its lines have times. */
const MARK_BYTES = 4096;

/** The last `lines` of a file, all of it where that is undefined; `end` is the place up to which it was read. */
export function tailOf(file: string, lines: number | undefined): { readonly text: string; readonly end: number } {
  const handle = openSync(file, "r");
  try {
    const end = statSync(file).size;
    const start = lines === undefined ? 0 : startOfLast(handle, lines, end);
    return { text: read(handle, start, end).toString("utf8"), end };
  } finally {
    closeSync(handle);
  }
}

/** Searches backwards for the line feed before the wanted lines; one at the very end belongs to the last line. */
function startOfLast(handle: number, lines: number, end: number): number {
  let wanted = lines;
  for (let stop = end; stop > 0; stop -= PIECE_BYTES) {
    const from = Math.max(0, stop - PIECE_BYTES);
    const piece = read(handle, from, stop);
    for (let i = piece.length - 1; i >= 0; i--) {
      if (piece[i] !== LINE_FEED || from + i === end - 1) continue;
      wanted -= 1;
      if (wanted <= 0) return lines === 0 ? end : from + i + 1;
    }
  }
  return lines === 0 ? end : 0;
}

function read(handle: number, start: number, end: number): Buffer {
  const piece = Buffer.alloc(end - start);
  const bytes = readSync(handle, piece, 0, piece.length, start);
  return piece.subarray(0, bytes);
}

/**
 * Hands over what is added to a file until the signal. One that is replaced (`LogFile`) or cut (`boundLog`) is read to its end before, and the
 * next from its start.
 */
export async function followFile(file: string, from: number, write: (text: string) => void, signal: AbortSignal): Promise<void> {
  const followed = new FollowedFile(file, from);
  const decoder = new TextDecoder();
  try {
    while (!signal.aborted) {
      for (const piece of followed.added()) write(decoder.decode(piece, { stream: true }));
      await pause(LOOK_AGAIN_MS, signal);
    }
  } finally {
    followed.close();
  }
}

/** A file that others write, read from a place on. It stays open, so that one that is replaced can still be read to its end. */
class FollowedFile {
  readonly #file: string;
  #handle: number;
  #at: number;
  /** What stands before the place, by which it is found again. */
  #before: Buffer;

  constructor(file: string, from: number) {
    this.#file = file;
    this.#handle = openSync(file, "r");
    this.#at = from;
    this.#before = read(this.#handle, Math.max(0, from - MARK_BYTES), from);
  }

  close(): void {
    closeSync(this.#handle);
  }

  /** All that was added since the last time, piece by piece. */
  *added(): Iterable<Buffer> {
    const now = statSync(this.#file, { throwIfNoEntry: false });
    // Asked before the rest is read: nothing is written to a file that has been replaced.
    const isReplaced = now !== undefined && now.ino !== fstatSync(this.#handle).ino;
    if (this.#isCut()) {
      yield* this.#kept();
      this.#start();
    }
    yield* this.#rest();
    if (!isReplaced) return;
    this.close();
    this.#handle = openSync(this.#file, "r");
    this.#start();
    yield* this.#rest();
  }

  #start(): void {
    this.#at = 0;
    this.#before = Buffer.alloc(0);
  }

  /** It may have grown beyond the place again. */
  #isCut(): boolean {
    return !read(this.#handle, this.#at - this.#before.length, this.#at).equals(this.#before);
  }

  /** What was added before the cut and wasn't read: whoever cuts a log keeps its last part in `FILE.1`. */
  #kept(): readonly Buffer[] {
    try {
      const kept = readFileSync(`${this.#file}.1`);
      const found = kept.indexOf(this.#before);
      return found < 0 ? [] : [kept.subarray(found + this.#before.length)];
    } catch {
      return [];
    }
  }

  *#rest(): Iterable<Buffer> {
    for (let piece; (piece = read(this.#handle, this.#at, this.#at + PIECE_BYTES)).length > 0; ) {
      this.#at += piece.length;
      this.#before = Buffer.concat([this.#before, piece]).subarray(-MARK_BYTES);
      yield piece;
    }
  }
}
