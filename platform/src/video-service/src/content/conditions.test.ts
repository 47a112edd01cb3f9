import { describe, expect, test } from "vitest";
import { select } from "./conditions.ts";

const ETAG = '"abc"';
const SIZE = 1_000;
const part = (start: number, end: number) => ({ kind: "part", range: { start, end } });
const all = { kind: "all" };

describe("Range", () => {
  test.each([
    { range: undefined, expected: all },
    { range: "bytes=0-0", expected: part(0, 0) },
    { range: "bytes=0-499", expected: part(0, 499) },
    { range: "bytes=500-", expected: part(500, 999) },
    { range: "bytes=-200", expected: part(800, 999) },
    { range: "bytes=-2000", expected: part(0, 999) },
    { range: "bytes=900-5000", expected: part(900, 999) },
    { range: "Bytes= 5-6 ", expected: part(5, 6) },
    { range: "bytes=1000-", expected: { kind: "unsatisfiable" } },
    { range: "bytes=5000-6000", expected: { kind: "unsatisfiable" } },
    { range: "bytes=-0", expected: { kind: "unsatisfiable" } },
    { range: "bytes=9-5", expected: all },
    { range: "bytes=0-1,5-6", expected: all },
    { range: "bytes=-", expected: all },
    { range: "bytes=a-b", expected: all },
    { range: "bytes=-1-5", expected: all },
    { range: "lines=0-5", expected: all },
    { range: `bytes=${"9".repeat(400)}-`, expected: all },
  ])("$range is $expected.kind", ({ range, expected }) => {
    expect(select({ range }, ETAG, SIZE)).toEqual(expected);
  });
});

describe("conditions", () => {
  test.each([
    { title: "the same ETag", headers: { "if-none-match": ETAG }, expected: { kind: "not-modified" } },
    { title: "the same, weak", headers: { "if-none-match": `W/${ETAG}` }, expected: { kind: "not-modified" } },
    { title: "one of several", headers: { "if-none-match": `"x", ${ETAG}` }, expected: { kind: "not-modified" } },
    { title: "any", headers: { "if-none-match": "*" }, expected: { kind: "not-modified" } },
    { title: "another", headers: { "if-none-match": '"x"' }, expected: all },
    { title: "the same, with a range", headers: { "if-none-match": ETAG, range: "bytes=0-1" }, expected: { kind: "not-modified" } },
    { title: "a range if it is the same", headers: { "if-range": ETAG, range: "bytes=0-1" }, expected: part(0, 1) },
    { title: "a range if it is another", headers: { "if-range": '"x"', range: "bytes=0-1" }, expected: all },
    { title: "a range if it is the same, weak", headers: { "if-range": `W/${ETAG}`, range: "bytes=0-1" }, expected: all },
    { title: "a range by date", headers: { "if-range": "Sat, 21 Nov 2026 10:00:00 GMT", range: "bytes=0-1" }, expected: all },
  ])("$title: $expected.kind", ({ headers, expected }) => {
    expect(select(headers, ETAG, SIZE)).toEqual(expected);
  });
});
