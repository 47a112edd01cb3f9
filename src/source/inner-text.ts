import type { JsonPath } from "../model/position.ts";
import { LineIndex } from "./lines.ts";
import { parseText } from "./parse.ts";
import { type Fault, isFault } from "./plain.ts";
import { findPlace } from "./place.ts";

export interface InnerDocument {
  readonly value: unknown;
  /** The offset of a node in the outer text. */
  readonly offsetOf: (path: JsonPath) => number;
}

/**
 * Reads the YAML that is the value of an outer document's field. `offset` is where that value stands in the outer text; within a block scalar
 * (`|`) each node's own place is known, else that of the value answers for all.
 */
export function readInnerText(inner: string, outer: { readonly text: string; readonly offset: number }): InnerDocument | Fault {
  const toOuter = mapOffsets(inner, outer);
  const parsed = parseText(inner);
  if (isFault(parsed)) return { ...parsed, offset: toOuter(parsed.offset) };
  const [document, second] = parsed;
  if (second !== undefined)
    return { code: "KMK0002", message: "the text holds more than one document", offset: toOuter(second.place.offset) };
  if (document === undefined) return { value: null, offsetOf: () => outer.offset };
  return { value: document.value, offsetOf: (path) => toOuter(findPlace(document.place, path).offset) };
}

function mapOffsets(inner: string, { text, offset }: { readonly text: string; readonly offset: number }): (innerOffset: number) => number {
  if (text[offset] !== "|") return () => offset;
  const innerLines = inner.split("\n");
  const innerIndex = new LineIndex(inner);
  return (innerOffset) => {
    const { line, column } = innerIndex.at(innerOffset);
    const start = startOfLine(text, offset, line);
    const end = text.indexOf("\n", start);
    const outerLine = text.slice(start, end === -1 ? text.length : end).replace(/\r$/, "");
    const innerLine = (innerLines[line - 1] ?? "").replace(/\r$/, "");
    return outerLine.endsWith(innerLine) ? start + outerLine.length - innerLine.length + column - 1 : offset;
  };
}

/** The start of the n-th line after that of `from`. */
function startOfLine(text: string, from: number, n: number): number {
  let at = from;
  for (let i = 0; i < n; i++) {
    const next = text.indexOf("\n", at);
    if (next === -1) return at;
    at = next + 1;
  }
  return at;
}
