import { expect, test } from "vitest";
import { decodeBase64 } from "./base64.ts";

test.each([
  { digits: "", bytes: [] },
  { digits: "AA", bytes: [0] },
  { digits: "/+8", bytes: [255, 239] },
  { digits: "SGFsbG8", bytes: [72, 97, 108, 108, 111] },
])("$digits is $bytes", ({ digits, bytes }) => {
  expect([...(decodeBase64(digits) ?? [])]).toEqual(bytes);
});

test.each(["AA==", "-_", "A A", "é"])("%j is refused", (digits) => {
  expect(decodeBase64(digits)).toBeUndefined();
});
