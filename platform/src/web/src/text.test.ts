import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { dictionaries, preferredLanguage, type TextKey, textOf } from "./page/text.ts";

const PAGE = join(import.meta.dirname, "page");
const keys = Object.keys(dictionaries.en) as TextKey[];
const placesIn = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(([place]) => place).toSorted();
const sources = readdirSync(PAGE)
  .filter((name) => /\.(ts|html)$/.test(name) && name !== "text.ts")
  .map((name) => readFileSync(join(PAGE, name), "utf8"))
  .join("\n");

describe("the page's texts", () => {
  test("both languages have every text, with the same values in it", () => {
    expect(Object.keys(dictionaries.ja)).toEqual(keys);
    for (const key of keys) {
      expect(dictionaries.ja[key].trim(), key).not.toBe("");
      expect(placesIn(dictionaries.ja[key]), key).toEqual(placesIn(dictionaries.en[key]));
    }
  });

  test("Japanese is Japanese", () => {
    expect(keys.filter((key) => !/[\u3040-\u30ff\u4e00-\u9fff]/.test(dictionaries.ja[key]))).toEqual([]);
  });

  test("each is used, and each that is used is there", () => {
    // `status` and the like come from the API's own words.
    const fromApi = ["taken-down", "draft"];
    expect(
      keys.filter((key) => !fromApi.includes(key) && !sources.includes(`"${key}"`) && !new RegExp(`\\b${key}: \\w+View`).test(sources)),
    ).toEqual([]);
    const used = [...sources.matchAll(/\bt\("([\w-]+)"|data-(?:text|label)="([\w-]+)"|field\("([\w-]+)"/g)].map(
      ([, a, b, c]) => a ?? b ?? c ?? "",
    );
    expect(used.length).toBeGreaterThan(40);
    expect(used.filter((key) => !keys.includes(key as TextKey))).toEqual([]);
  });

  test("a value takes its place as it is", () => {
    expect(textOf("ja", "hello", { name: "<b>{name}</b>$&" })).toBe("こんにちは、<b>{name}</b>$&さん");
    expect(textOf("en", "hello")).toBe("Hello, {name}");
  });

  test.each([
    { list: ["ja"], language: "ja" },
    { list: [" ja-JP;q=0.9"], language: "ja" },
    { list: ["de", "ja"], language: "ja" },
    { list: ["de", "en-US", "ja"], language: "en" },
    { list: [""], language: "en" },
  ])("$list prefers $language", ({ list, language }) => {
    expect(preferredLanguage(list)).toBe(language);
  });
});
