import type { IncomingHttpHeaders } from "node:http";
import type { ByteRange } from "./store.ts";

/** What a request for a content is answered with (RFC 9110, sections 13 and 14). */
export type Selection =
  | { readonly kind: "all" }
  | { readonly kind: "part"; readonly range: ByteRange }
  | { readonly kind: "not-modified" }
  | { readonly kind: "unsatisfiable" };

const ALL: Selection = { kind: "all" };

/** Chooses by the headers If-None-Match, If-Range and Range, in that order. `etag` is a strong one, with its quotes. */
export function select(headers: IncomingHttpHeaders, etag: string, size: number): Selection {
  const known = headers["if-none-match"];
  if (known !== undefined && matchesAny(known, etag)) return { kind: "not-modified" };
  const { range } = headers;
  if (range === undefined) return ALL;
  const ifRange = headers["if-range"];
  // A date never holds: nothing here says when it was last modified.
  if (ifRange !== undefined && ifRange !== etag) return ALL;
  return selectRange(range, size);
}

/** The weak comparison: `W/"x"` is `"x"`. */
function matchesAny(header: string, etag: string): boolean {
  return header.split(",").some((one) => one.trim() === "*" || one.trim().replace(/^W\//, "") === etag);
}

/** More than one range, another unit and what can't be understood count as no range at all. */
function selectRange(header: string, size: number): Selection {
  const [, from = "", to = ""] = /^bytes=[ \t]*(\d{0,15})-(\d{0,15})[ \t]*$/i.exec(header) ?? [];
  if (from === "" && to === "") return ALL;
  if (from === "") {
    const length = Math.min(Number(to), size);
    return length === 0 ? { kind: "unsatisfiable" } : { kind: "part", range: { start: size - length, end: size - 1 } };
  }
  const start = Number(from);
  const end = to === "" ? size - 1 : Number(to);
  if (to !== "" && end < start) return ALL;
  if (start >= size) return { kind: "unsatisfiable" };
  return { kind: "part", range: { start, end: Math.min(end, size - 1) } };
}
