import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { MetadataMatcher } from "../gen/envoy/type/matcher/v3/metadata_pb.js";
import type { ValueMatcher } from "../gen/envoy/type/matcher/v3/value_pb.js";
import { matchesString } from "./string-match.ts";
import { Undecidable } from "./undecidable.ts";

/** Whether what a filter left behind for later ones is as asked. */
export function matchesMetadata(
  { filter, path, value: wanted, invert }: MetadataMatcher,
  metadata: Readonly<Record<string, JsonObject>>,
): boolean {
  let value: JsonValue | undefined = metadata[filter];
  for (const { segment } of path) {
    if (segment.case !== "key") throw new Undecidable("a metadata path");
    value = isObject(value) && Object.hasOwn(value, segment.value) ? value[segment.value] : undefined;
  }
  return (wanted !== undefined && value !== undefined && matchesValue(wanted, value)) !== invert;
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function matchesValue({ matchPattern: wanted }: ValueMatcher, value: JsonValue): boolean {
  switch (wanted.case) {
    case "nullMatch":
      return value === null;
    case "stringMatch":
      return typeof value === "string" && matchesString(wanted.value, value);
    case "boolMatch":
      return value === wanted.value;
    case "presentMatch":
      return wanted.value;
    case "listMatch": {
      const inner = wanted.value.matchPattern;
      if (inner.case !== "oneOf") throw new Undecidable("a metadata list matcher");
      return Array.isArray(value) && value.some((element) => matchesValue(inner.value, element));
    }
    case "orMatch":
      return wanted.value.valueMatchers.some((inner) => matchesValue(inner, value));
    default:
      throw new Undecidable(`a metadata value matcher ${wanted.case ?? ""}`);
  }
}
