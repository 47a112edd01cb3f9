import { expect, test } from "vitest";
import { posterOf } from "./page/poster.ts";

const ids = Array.from({ length: 200 }, (_, index) => `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`);

test("a video's picture is always the same, and seldom another one's", () => {
  expect(posterOf("a")).toEqual(posterOf("a"));
  expect(new Set(ids.map((id) => JSON.stringify(posterOf(id)))).size).toBeGreaterThan(190);
});

test("all lattices, turns and parts of the colour circle are drawn", () => {
  const posters = ids.map(posterOf);
  expect(new Set(posters.map(({ path }) => path)).size).toBe(6);
  expect(new Set(posters.map(({ turn }) => turn)).size).toBe(3);
  expect(new Set(posters.map(({ hue }) => Math.floor(hue / 60))).size).toBe(6);
  for (const { path } of posters) expect(path).toMatch(/^M[\d MLHVAZ]+$/);
});
