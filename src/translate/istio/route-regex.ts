import { RE2JS } from "re2js";

/** Longer ones cost Envoy more than any route is worth; also keeps our own check cheap. */
const LONGEST = 1024;

/** What is wrong with an RE2 expression, in words; undefined for one that Envoy takes. One bad one would make it refuse a whole route table. */
export function checkRegex(regex: string): string | undefined {
  if (regex.length > LONGEST) return `is longer than ${LONGEST} characters`;
  try {
    RE2JS.compile(regex);
    return undefined;
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown);
  }
}
