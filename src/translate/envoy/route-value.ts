import { create } from "@bufbuild/protobuf";
import {
  HeaderValueOption_HeaderAppendAction as Append,
  HeaderValueOptionSchema,
  type HeaderValueOption,
} from "../../gen/envoy/config/core/v3/base_pb.js";
import { FractionalPercent_DenominatorType as Denominator } from "../../gen/envoy/type/v3/percent_pb.js";
import type { HeaderOperations } from "../../ir/route.ts";

/** Set replaces what is there, add stands beside it. */
export function toHeaderOptions({ set = {}, add = {} }: HeaderOperations): HeaderValueOption[] {
  const option = ([key, value]: [string, string], appendAction: Append) =>
    create(HeaderValueOptionSchema, { header: { key, value }, appendAction });
  return [
    ...Object.entries(set).map((header) => option(header, Append.OVERWRITE_IF_EXISTS_OR_ADD)),
    ...Object.entries(add).map((header) => option(header, Append.APPEND_IF_EXISTS_OR_ADD)),
  ];
}

/** Parts of a million, so that 0.0001 % can be said. */
export function toFraction(percent: number) {
  return { numerator: Math.round(Math.min(100, Math.max(0, percent)) * 10_000), denominator: Denominator.MILLION };
}
