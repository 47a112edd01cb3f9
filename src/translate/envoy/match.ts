import { create } from "@bufbuild/protobuf";
import { type HeaderMatcher, HeaderMatcherSchema } from "../../gen/envoy/config/route/v3/route_components_pb.js";
import { type StringMatcher, StringMatcherSchema } from "../../gen/envoy/type/matcher/v3/string_pb.js";
import type { HeaderMatch, StringMatch } from "../../ir/match.ts";

/** Envoy takes only an exact text to be empty: what begins with nothing is any text, and an expression that is nothing matches nothing but nothing. */
export function toStringMatcher(match: StringMatch): StringMatcher {
  if (match.value === "" && match.kind !== "exact")
    return toStringMatcher(match.kind === "regex" ? { kind: "exact", value: "" } : { kind: "regex", value: ".*" });
  if (match.kind === "regex") return create(StringMatcherSchema, { matchPattern: { case: "safeRegex", value: { regex: match.value } } });
  return create(StringMatcherSchema, { matchPattern: { case: match.kind, value: match.value }, ignoreCase: match.ignoreCase ?? false });
}

export function toHeaderMatcher({ name, value, invert = false }: HeaderMatch): HeaderMatcher {
  if (value.kind === "present") {
    return create(HeaderMatcherSchema, { name, headerMatchSpecifier: { case: "presentMatch", value: true }, invertMatch: invert });
  }
  return create(HeaderMatcherSchema, {
    name,
    headerMatchSpecifier: { case: "stringMatch", value: toStringMatcher(value) },
    invertMatch: invert,
  });
}
