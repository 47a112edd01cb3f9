import { expect, test } from "vitest";
import { dictionaries, languageOf, type TextKey } from "./text.ts";

const keys = Object.keys(dictionaries.en) as TextKey[];

test("both languages have every text, and Japanese is Japanese", () => {
  expect(Object.keys(dictionaries.ja)).toEqual(keys);
  expect(keys.filter((key) => !/[\u3040-\u30ff\u4e00-\u9fff]/.test(dictionaries.ja[key]))).toEqual([]);
});

test.each([
  { uiLocales: "ja", accepts: "en", language: "ja" },
  { uiLocales: "fr en-GB", accepts: "ja", language: "en" },
  { uiLocales: "fr", accepts: "de, ja;q=0.9,en;q=0.8", language: "ja" },
  { uiLocales: undefined, accepts: "ja-JP,ja;q=0.9", language: "ja" },
  { uiLocales: "", accepts: undefined, language: "en" },
  { uiLocales: 7, accepts: "xx", language: "en" },
])("$uiLocales before $accepts is $language", ({ uiLocales, accepts, language }) => {
  expect(languageOf(uiLocales, accepts)).toBe(language);
});
