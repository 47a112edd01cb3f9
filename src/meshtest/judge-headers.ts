import { RE2JS } from "re2js";
import type { HeaderMatcher, HeaderMatchers } from "./document.ts";
import type { Mismatch } from "./judge.ts";

type Headers = readonly (readonly [string, string])[];

/** Compares header lines with what is expected of them; `generated` are there with a value that nobody can know: `undecidedHeaders` names those. */
export function headerMismatches(
  field: string,
  expected: HeaderMatchers,
  happened: Headers,
  generated: readonly string[],
): readonly Mismatch[] {
  return expected.flatMap(([name, matcher]) => {
    const lines = happened.filter(([own]) => own.toLowerCase() === name).map(([, value]) => value);
    const isGenerated = lines.length === 0 && generated.some((own) => own.toLowerCase() === name);
    const mayBeRight = matcher.is === "present" || matcher.is === "prefix" || matcher.is === "regex";
    const isRight = isGenerated ? mayBeRight : matches(matcher, lines);
    if (isRight) return [];
    const what = isGenerated ? "a generated value" : lines.map((line) => JSON.stringify(line)).join(", ") || "absent";
    return [{ field: `${field}.${name}`, expected: matcherText(matcher), happened: what }];
  });
}

/** Headers whose value a proxy makes up and that a pattern is to match: whether it would can't be known before. */
export function undecidedHeaders(
  field: string,
  expected: HeaderMatchers | undefined,
  happened: Headers,
  generated: readonly string[],
): readonly string[] {
  return (expected ?? []).flatMap(([name, { is }]) => {
    const isHere = generated.some((own) => own.toLowerCase() === name) && !happened.some(([own]) => own.toLowerCase() === name);
    return isHere && (is === "prefix" || is === "regex") ? [`${field}.${name}`] : [];
  });
}

function matches(matcher: HeaderMatcher, lines: readonly string[]): boolean {
  switch (matcher.is) {
    case "absent":
      return lines.length === 0;
    case "present":
      return lines.length > 0;
    case "lines":
      return matcher.lines.length === lines.length && matcher.lines.every((line, i) => line === lines[i]);
    case "prefix":
      return lines.length > 0 && lines.every((line) => line.startsWith(matcher.prefix));
    case "regex": {
      const regex = RE2JS.compile(matcher.regex);
      return lines.length > 0 && lines.every((line) => regex.matches(line));
    }
  }
}

function matcherText(matcher: HeaderMatcher): string {
  switch (matcher.is) {
    case "absent":
      return "absent";
    case "present":
      return "present";
    case "lines":
      return matcher.lines.map((line) => JSON.stringify(line)).join(", ");
    case "prefix":
      return `prefix ${JSON.stringify(matcher.prefix)}`;
    case "regex":
      return `regex ${JSON.stringify(matcher.regex)}`;
  }
}
