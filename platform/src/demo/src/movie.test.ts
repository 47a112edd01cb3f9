import { expect, test } from "vitest";
import { movieOf, sha256Of } from "./movie.ts";
import { uuidOf } from "./random.ts";

test("a movie is always the same bytes, of the length asked for, and begins as an MP4 does", () => {
  const movie = movieOf("a", 5_000);
  expect(movie).toHaveLength(5_000);
  expect(movie.subarray(4, 8).toString("latin1")).toBe("ftyp");
  expect(movie.readUInt32BE(0)).toBe(24);
  expect(movie.subarray(28, 32).toString("latin1")).toBe("mdat");
  expect(24 + movie.readUInt32BE(24)).toBe(5_000);
  expect(movieOf("a", 5_000).equals(movie)).toBe(true);
  expect(sha256Of(movieOf("b", 5_000))).not.toBe(sha256Of(movie));
});

test("a name's UUID is always the same, and is one", () => {
  expect(uuidOf("x")).toBe(uuidOf("x"));
  expect(uuidOf("x")).not.toBe(uuidOf("y"));
  expect(uuidOf("x")).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
