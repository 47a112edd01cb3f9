import { closeSync, ftruncateSync, openSync, readSync, statSync, writeSync } from "node:fs";

const PIECE_BYTES = 1_048_576;
const MAX_BYTES = 10_000_000;

/** As `boundLog`, for who looks after the process that writes: a full disk, or a folder that is gone, is no reason to stop looking. */
export function keepLogBounded(file: string): void {
  try {
    boundLog(file, MAX_BYTES);
  } catch {
    // The next look may find room again.
  }
}

/**
 * Keeps a file that another process appends to within a bound: what is over it goes to `FILE.1`, whose predecessor is dropped, and the file is
 * cut to nothing. Such a process holds the file open and can't be told to take another one, because the log is its standard output; opened for
 * appending, it goes on at the new end. What it writes between the last look and the cut is lost: the two are consecutive system calls.
 * The bound holds on a full disk, too, where nothing can be kept. Says whether the file was cut.
 */
export function boundLog(file: string, maxBytes: number): boolean {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size <= maxBytes) return false;
  const source = openSync(file, "r+");
  try {
    // No more than the bound: what came before is older than what anybody looks for.
    copyFrom(source, size - maxBytes, `${file}.1`);
  } finally {
    ftruncateSync(source, 0);
    closeSync(source);
  }
  return true;
}

/** Copies up to the end, as it is when it is reached. */
function copyFrom(source: number, start: number, file: string): void {
  const copy = openSync(file, "w", 0o600);
  const piece = Buffer.alloc(PIECE_BYTES);
  try {
    for (let at = start, bytes; (bytes = readSync(source, piece, 0, piece.length, at)) > 0; at += bytes) {
      for (let written = 0; written < bytes; ) written += writeSync(copy, piece, written, bytes - written);
    }
  } finally {
    closeSync(copy);
  }
}
