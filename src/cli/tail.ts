import { closeSync, openSync, readSync, statSync } from "node:fs";
import { pause } from "../runtime/pause.ts";

const PIECE_BYTES = 64 * 1024;
const LINE_FEED = 0x0a;
const LOOK_AGAIN_MS = 200;

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

/** Hands over what is added to a file until the signal; a file that was replaced (rotated) or cut is read from its start. */
export async function followFile(file: string, from: number, write: (text: string) => void, signal: AbortSignal): Promise<void> {
  let { ino } = statSync(file);
  let at = from;
  const decoder = new TextDecoder();
  while (!signal.aborted) {
    const now = statSync(file, { throwIfNoEntry: false });
    if (now !== undefined) {
      if (now.ino !== ino || now.size < at) [ino, at] = [now.ino, 0];
      if (now.size > at) {
        const handle = openSync(file, "r");
        const piece = read(handle, at, Math.min(now.size, at + 16 * PIECE_BYTES));
        closeSync(handle);
        at += piece.length;
        write(decoder.decode(piece, { stream: true }));
      }
    }
    await pause(LOOK_AGAIN_MS, signal);
  }
}
