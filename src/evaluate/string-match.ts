import { RE2JS } from "re2js";
import type { StringMatcher } from "../gen/envoy/type/matcher/v3/string_pb.js";
import { Undecidable } from "./undecidable.ts";

const MOST_PATTERNS = 4096;
const patterns = new Map<string, RE2JS>();

/** Whether a text is what a matcher asks for. `ignoreCase` has no say in expressions (Envoy's rule). */
export function matchesString({ matchPattern, ignoreCase }: StringMatcher, text: string): boolean {
  const fold = (value: string) => (ignoreCase ? lowerAscii(value) : value);
  switch (matchPattern.case) {
    case "exact":
      return fold(text) === fold(matchPattern.value);
    case "prefix":
      return fold(text).startsWith(fold(matchPattern.value));
    case "suffix":
      return fold(text).endsWith(fold(matchPattern.value));
    case "contains":
      return fold(text).includes(fold(matchPattern.value));
    case "safeRegex":
      return matchesWhole(matchPattern.value.regex, text);
    default:
      throw new Undecidable(`string matcher ${matchPattern.case ?? "without a pattern"}`);
  }
}

/** Linear time, whatever the expression; the whole text must match. */
export function matchesWhole(regex: string, text: string): boolean {
  return patternOf(regex).matches(text);
}

/** Each match replaced, with `\1` for the first group, as in RE2. */
export function replaceAll(regex: string, substitution: string, text: string): string {
  const replacement = substitution.replace(/\\(\d)|\\\\|\$/g, (found, group: string | undefined) =>
    group !== undefined ? `\${${group}}` : found === "$" ? "\\$" : "\\\\",
  );
  return patternOf(regex)
    .matcher(text)
    .replaceAll(replacement.replaceAll("${", "$").replace(/\$(\d)\}/g, "$$$1"));
}

function patternOf(regex: string): RE2JS {
  let pattern = patterns.get(regex);
  if (pattern === undefined) {
    pattern = compile(regex);
    if (patterns.size >= MOST_PATTERNS) patterns.clear();
    patterns.set(regex, pattern);
  }
  return pattern;
}

function compile(regex: string): RE2JS {
  try {
    return RE2JS.compile(regex);
  } catch {
    throw new Undecidable("an expression that RE2 refuses");
  }
}

/** Envoy folds ASCII letters only. */
export function lowerAscii(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}
