import { RE2JS } from "re2js";
import { parseDuration } from "../base/duration.ts";
import type { JsonPath } from "../model/position.ts";
import { formatPath } from "../model/position.ts";
import { type Report, wrong } from "./report.ts";

/** Istio's limit for a regular expression. */
const LONGEST_REGEX = 1024;
/** About 30 years; what Envoy takes ends not far above. */
const LONGEST_DURATION_MS = 1e12;

/** Texts with a meaning of their own. A regular expression is compiled by RE2's rules, never by JavaScript's, whose time has no bound. */
export function checkFormat(value: string, format: "duration" | "regex", path: JsonPath, report: Report): void {
  if (format === "duration") return checkDuration(value, path, report);
  const failure = findRegexFault(value);
  if (failure !== undefined)
    wrong(report, path, `${formatPath(path)} is no RE2 expression: ${failure}`, "see https://github.com/google/re2/wiki/Syntax");
}

/** Why Envoy would refuse a regular expression; undefined where it takes it. */
export function findRegexFault(regex: string): string | undefined {
  if (regex.length > LONGEST_REGEX) return `it has more than ${LONGEST_REGEX} characters`;
  try {
    RE2JS.compile(regex);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.replace(/^error parsing regexp: /, "") : "it can't be compiled";
  }
}

function checkDuration(value: string, path: JsonPath, report: Report): void {
  const milliseconds = parseDuration(value);
  if (milliseconds === undefined)
    wrong(report, path, `${formatPath(path)} is no duration`, 'write a number with its unit: "5s", "100ms", "1h30m"');
  else if (milliseconds > LONGEST_DURATION_MS) wrong(report, path, `${formatPath(path)} is longer than 30 years`);
}
