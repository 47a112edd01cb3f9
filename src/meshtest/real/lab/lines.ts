import type { Readable } from "node:stream";

import { LineReader } from "../../echo-program/line-reader.ts";

const MAX_LINE_BYTES = 64 << 20;
const MAX_TAIL_CHARACTERS = 4000;
const TAIL_LINES = 5;
const STACK_FRAME = /^\s+at /;

/** Calls back for each line of a stream; one that no program of ours writes is left out. */
export function onLines(stream: Readable, take: (line: string) => void): void {
  const reader = new LineReader(MAX_LINE_BYTES, (line) => {
    if (line !== undefined) take(line);
  });
  stream.on("data", (chunk: Buffer) => reader.push(chunk));
}

/** Keeps the last lines of what a program writes, for the message when it fails. */
export function keepTail(stream: Readable): () => string {
  let tail = "";
  stream.setEncoding("utf8").on("data", (text: string) => {
    tail = (tail + text).slice(-MAX_TAIL_CHARACTERS);
  });
  const isSaid = (line: string) => line.trim() !== "" && !STACK_FRAME.test(line);
  return () => tail.split("\n").filter(isSaid).slice(-TAIL_LINES).join("; ");
}
