import { expect, test } from "vitest";
import { readCursor, writeCursor } from "./cursor.ts";

const cursor = { createdAt: "2026-01-02T03:04:05.678Z", id: "0199f2a4-6c1e-7d55-9b3e-0d6a4f3b2c1d" };

test("a cursor that was written is read back", () => {
  expect(readCursor(writeCursor(cursor))).toEqual(cursor);
});

test.each([
  "",
  "x",
  Buffer.from("[]").toString("base64url"),
  writeCursor({ ...cursor, id: "1; DROP TABLE videos" }),
  writeCursor({ ...cursor, createdAt: "yesterday" }),
])("%j is refused with 400", (text) => {
  expect(() => readCursor(text)).toThrow(expect.objectContaining({ status: 400 }));
});
