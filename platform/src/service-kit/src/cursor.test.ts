import { describe, expect, test } from "vitest";
import * as z from "zod";
import { cursorOf, pageOf } from "./cursor.ts";

const format = cursorOf(z.tuple([z.iso.datetime(), z.uuid()]));
const place: [string, string] = ["2026-01-02T03:04:05.678Z", "0199f2a4-6c1e-7d55-9b3e-0d6a4f3b2c1d"];

test("a cursor that was written is read back", () => {
  expect(format.read(format.write(place))).toEqual(place);
});

test.each([
  "",
  "x",
  Buffer.from("[]").toString("base64url"),
  format.write([place[0], "1; DROP TABLE videos"]),
  format.write(["yesterday", place[1]]),
])("%j is refused with 400", (text) => {
  expect(() => format.read(text)).toThrow(expect.objectContaining({ status: 400 }));
});

describe("pageOf", () => {
  test.each([
    { title: "nothing", given: [], expected: { items: [], next: null } },
    { title: "exactly one page", given: ["a", "b"], expected: { items: ["a", "b"], next: null } },
    { title: "more than a page", given: ["a", "b", "c"], expected: { items: ["a", "b"], next: "after b" } },
  ])("of $title", ({ given, expected }) => {
    expect(pageOf(given, 2, (last) => `after ${last}`)).toEqual(expected);
  });
});
