import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { canonicalJson, hashBytes, stableHash } from "./stable-hash.ts";
import { fc } from "../testing/property.ts";

const reference = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("hex").slice(0, 32);

describe("hashBytes", () => {
  test.each([0, 1, 3, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1000])("is the head of SHA-256 for %d bytes", (length) => {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 7 + length) & 255);
    expect(hashBytes(bytes)).toBe(reference(bytes));
  });

  test("reads a view at its own offset", () => {
    const bytes = Uint8Array.from({ length: 100 }, (_, i) => i);
    expect(hashBytes(bytes.subarray(10, 90))).toBe(reference(bytes.slice(10, 90)));
  });
});

describe("stableHash", () => {
  test("is the hash of the canonical JSON in UTF-8, for any JSON value", () => {
    const property = fc.property(fc.jsonValue(), (value) => stableHash(value) === reference(canonicalJson(value)));
    expect(() => fc.assert(property)).not.toThrow();
  });

  test("a text of any Unicode, lone surrogates included, is hashed as Node would", () => {
    const text = fc.string({ unit: "binary" }).map((s) => `${s}\ud800é日😀`);
    const property = fc.property(text, (value) => stableHash(value) === reference(JSON.stringify(value)));
    expect(() => fc.assert(property)).not.toThrow();
  });

  test("the order of keys makes no difference; the order of a list does", () => {
    expect(stableHash({ a: 1, b: { c: 2, d: 3 } })).toBe(stableHash({ b: { d: 3, c: 2 }, a: 1 }));
    expect(stableHash([1, 2])).not.toBe(stableHash([2, 1]));
  });

  test("an absent key and one that is undefined are the same", () => {
    expect(stableHash({ a: 1, b: undefined })).toBe(stableHash({ a: 1 }));
  });

  test.each([
    ["a number and its text", 1, "1"],
    ["an empty list and an empty object", [], {}],
    ["a list split elsewhere", ["ab", "c"], ["a", "bc"]],
    ["a map and its entries", new Map([["a", 1]]), [["a", 1]]],
    ["bytes and other bytes", Uint8Array.of(1), Uint8Array.of(2)],
  ])("tells %s apart", (_, one, other) => {
    expect(stableHash(one)).not.toBe(stableHash(other));
  });

  test("what it can't see into is refused rather than left out", () => {
    class Secret {
      readonly #key = "k";
      reveal() {
        return this.#key;
      }
    }
    expect(() => stableHash({ secret: new Secret() })).toThrow("instance of Secret");
    expect(() => stableHash({ locate: () => 1 })).toThrow("function");
  });
});
