import { isRecord } from "../schema/shape.ts";
import { checkAgainst } from "./check-against.ts";
import type { Expectation, HeaderMatcher, HeaderMatchers, Range, ReceivedExpectation } from "./document.ts";
import { RANGE } from "./document-schema.ts";
import type { Complain, RawExpectation, RawReceived, RawRecord } from "./raw.ts";

export function readExpectation(raw: RawExpectation, complain: Complain): Expectation {
  if (Object.keys(raw).length === 0) complain([], "expect says nothing", "set status, to, connection or another field");
  const { status, grpcStatus, sameWorkload, body, attempts, connection, because } = raw;
  const optional = { status, grpcStatus, sameWorkload, body, attempts, connection, because };
  const delayMs = typeof raw.delayMs === "string" ? readRange(raw.delayMs, ["delayMs"], complain) : undefined;
  return {
    ...(withoutAbsent(optional) as Expectation),
    ...(raw.to !== undefined && raw.to !== null && { to: readTo(raw.to, complain) }),
    ...(raw.received && { received: readReceived(raw.received, complain) }),
    ...(raw.headers && { headers: readMatchers(raw.headers, ["headers"], complain) }),
    ...(delayMs && { delayMs }),
    ...("mirroredTo" in raw && { mirroredTo: readName(raw.mirroredTo, "mirroredTo", complain) }),
    ...("via" in raw && { via: readName(raw.via, "via", complain) }),
  };
}

function withoutAbsent(fields: RawRecord): RawRecord {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null));
}

function readReceived(raw: RawReceived, complain: Complain): ReceivedExpectation {
  const { headers, ...rest } = raw;
  return {
    ...(withoutAbsent(rest) as ReceivedExpectation),
    ...(headers && { headers: readMatchers(headers, ["received", "headers"], complain) }),
  };
}

function readName(raw: unknown, field: "mirroredTo" | "via", complain: Complain): string | null {
  if (typeof raw === "string" && raw !== "") return raw;
  if (raw !== null) complain([field], `${field} must be a workload's name, or null`);
  return null;
}

function readTo(raw: unknown, complain: Complain): string | readonly (readonly [string, Range])[] {
  if (typeof raw === "string" && raw !== "") return raw;
  if (!isRecord(raw) || Object.keys(raw).length === 0) {
    complain(["to"], "to must be a workload's name, or a range for each of several", 'write to: NAME, or to: {NAME: "70..90"}');
    return [];
  }
  return Object.entries(raw).map(([name, range]) => [name, readRange(range, ["to", name], complain)]);
}

function readRange(raw: unknown, path: readonly string[], complain: Complain): Range {
  if (typeof raw === "number" && Number.isSafeInteger(raw) && raw >= 0) return { min: raw, max: raw };
  const [, low, high] = (typeof raw === "string" ? RANGE.exec(raw) : null) ?? [];
  const range = { min: Number(low), max: Number(high) };
  if (low === undefined) complain(path, `${path.join(".")} is no range`, 'write "70..90"');
  else if (range.min > range.max) complain(path, `${path.join(".")} ends before it begins`, `write "${high}..${low}"`);
  return range;
}

function readMatchers(raw: RawRecord, path: readonly string[], complain: Complain): HeaderMatchers {
  return Object.entries(raw).map(([name, value]) => [name.toLowerCase(), readMatcher(value, [...path, name], complain)]);
}

function readMatcher(raw: unknown, path: readonly string[], complain: Complain): HeaderMatcher {
  if (raw === null) return { is: "absent" };
  if (typeof raw === "string") return { is: "lines", lines: [raw] };
  if (Array.isArray(raw) && raw.length > 0 && raw.every((line) => typeof line === "string")) return { is: "lines", lines: raw };
  if (!isRecord(raw)) {
    complain(path, `${path.join(".")} must be a text, a list of texts, null, or one of prefix, regex, present`, "put it in quotes");
    return { is: "present" };
  }
  checkAgainst("Matcher", raw, path, complain);
  const { prefix, regex, present } = raw;
  if (Object.keys(raw).length !== 1) complain(path, `${path.join(".")} must have one of prefix, regex, present`);
  if (typeof prefix === "string") return { is: "prefix", prefix };
  if (typeof regex === "string") return { is: "regex", regex };
  return present === false ? { is: "absent" } : { is: "present" };
}
