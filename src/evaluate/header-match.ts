import type { HeaderMatcher, QueryParameterMatcher } from "../gen/envoy/config/route/v3/route_components_pb.js";
import { type HttpMessage, valuesOf } from "./http-message.ts";
import { lowerAscii, matchesString, matchesWhole } from "./string-match.ts";
import { Undecidable } from "./undecidable.ts";

/** Whether a request's header is what a matcher asks for; of several lines, one is enough. */
export function matchesHeader(matcher: HeaderMatcher, message: HttpMessage): boolean {
  const name = lowerAscii(matcher.name);
  const values = valuesOf(message, name);
  const isThere = values.length > 0;
  const asked = matcher.headerMatchSpecifier;
  if (asked.case === undefined) return isThere !== matcher.invertMatch;
  if (asked.case === "presentMatch") return ((isThere || matcher.treatMissingHeaderAsEmpty) === asked.value) !== matcher.invertMatch;
  if (!isThere && !matcher.treatMissingHeaderAsEmpty) return false;
  if (message.generated.includes(name)) throw new Undecidable(`the value of header ${name}`);
  return (isThere ? values : [""]).some((value) => matchesValue(asked, value)) !== matcher.invertMatch;
}

function matchesValue(asked: HeaderMatcher["headerMatchSpecifier"], value: string): boolean {
  switch (asked.case) {
    case "stringMatch":
      return matchesString(asked.value, value);
    case "exactMatch":
      return value === asked.value;
    case "prefixMatch":
      return value.startsWith(asked.value);
    case "suffixMatch":
      return value.endsWith(asked.value);
    case "containsMatch":
      return value.includes(asked.value);
    case "safeRegexMatch":
      return matchesWhole(asked.value.regex, value);
    case "rangeMatch":
      return /^[-+]?\d{1,18}$/.test(value) && BigInt(value) >= asked.value.start && BigInt(value) < asked.value.end;
    default:
      throw new Undecidable(`header matcher ${asked.case ?? "of no kind"}`);
  }
}

export function matchesQuery(
  { name, queryParameterMatchSpecifier: asked }: QueryParameterMatcher,
  query: ReadonlyMap<string, string>,
): boolean {
  const value = query.get(name);
  if (asked.case === "stringMatch") return value !== undefined && matchesString(asked.value, value);
  if (asked.case === "presentMatch") return (value !== undefined) === asked.value;
  return value !== undefined;
}
