import { expect, test } from "vitest";
import { movies } from "./catalogue.ts";
import { movieOf, sha256Of } from "./movie.ts";
import { uuidOf } from "./random.ts";

/** The IDs of a file's outermost EBML elements (RFC 8794), and where the last one ends. */
function elementsOf(file: Buffer): { ids: string[]; end: number } {
  const ids: string[] = [];
  let at = 0;
  while (at < file.length) {
    const idBytes = Math.clz32(file.readUInt8(at)) - 23;
    ids.push(file.subarray(at, at + idBytes).toString("hex"));
    const lengthBytes = Math.clz32(file.readUInt8(at + idBytes)) - 23;
    const length = BigInt(`0x${file.subarray(at + idBytes, at + idBytes + lengthBytes).toString("hex")}`);
    at += idBytes + lengthBytes + Number(BigInt.asUintN(7 * lengthBytes, length));
  }
  return { ids, end: at };
}

test("a movie is a whole WebM of the length asked for: a header, a segment, and what players skip", () => {
  for (const { title, sizeBytes } of movies) {
    const movie = movieOf(title, sizeBytes);
    expect(movie).toHaveLength(sizeBytes);
    expect(elementsOf(movie)).toEqual({ ids: ["1a45dfa3", "18538067", "ec"], end: sizeBytes });
  }
});

test("a movie is always the same bytes, and another name's are others", () => {
  const movie = movieOf("a", 16_384);
  expect(movieOf("a", 16_384).equals(movie)).toBe(true);
  expect(sha256Of(movieOf("b", 16_384))).not.toBe(sha256Of(movie));
});

test("no movie is made that is too small to be one", () => {
  expect(() => movieOf("a", 1_000)).toThrow("at least");
});

test("the demo's movies are of distinct sizes, and show more than one film", () => {
  expect(new Set(movies.map(({ sizeBytes }) => sizeBytes)).size).toBe(movies.length);
  expect(
    new Set(movies.map(({ title, sizeBytes }) => movieOf(title, sizeBytes).subarray(0, 1_600).toString("latin1"))).size,
  ).toBeGreaterThan(3);
});

test("a name's UUID is always the same, and is one", () => {
  expect(uuidOf("x")).toBe(uuidOf("x"));
  expect(uuidOf("x")).not.toBe(uuidOf("y"));
  expect(uuidOf("x")).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
