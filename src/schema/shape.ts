import { checkFormat } from "./format.ts";
import { didYouMean } from "../base/did-you-mean.ts";
import type { JsonPath } from "../model/position.ts";
import { formatPath } from "../model/position.ts";
import type { CompactNode, CompactSchema } from "./compact.ts";
import { type Report, wrong } from "./report.ts";

/** Deeper documents are refused before they get here; this holds for callers that read none (the admin API). */
const DEEPEST = 64;
/** A document with more complaints than this says so and stops: nobody reads the thousandth. */
const MOST_FINDINGS = 100;

export interface ShapeCheck {
  readonly schema: CompactSchema;
  readonly report: Report;
}

const LONGEST_FOR_PATTERN = 1024;

type ObjectNode = Extract<CompactNode, { is: "object" }>;
type Value = Readonly<Record<string, unknown>>;

/**
 * Compares a document's body with its kind's schema, once over every node: wrong types, values out of range, missing and excluding fields
 * (KMK1001), unknown fields (KMK1002). A field's `null` is read as absent, as Kubernetes does.
 */
export function checkShape(body: unknown, root: number, { schema, report }: ShapeCheck): void {
  let findings = 0;
  const limited: Report = (finding) => {
    findings++;
    if (findings <= MOST_FINDINGS) report(finding);
  };
  checkNode(body, root, [], { schema, report: limited });
}

function checkNode(value: unknown, index: number, path: JsonPath, check: ShapeCheck): void {
  const node = check.schema.nodes[index];
  if (node === undefined) throw new Error(`schema has no node ${index}`);
  if (path.length > DEEPEST) return check.report({ code: "KMK0003", path, message: `the document is more than ${DEEPEST} levels deep` });
  switch (node.is) {
    case "object":
      return isRecord(value) ? checkObject(value, node, path, check) : wrongType("an object", value, path, check.report);
    case "map":
      if (!isRecord(value)) return wrongType("an object", value, path, check.report);
      for (const [key, item] of Object.entries(value))
        if (item !== null || !isOfValues(path)) checkNode(item, node.values, [...path, key], check);
      return;
    case "list":
      return checkList(value, node, path, check);
    default:
      return checkScalar(value, node, path, check.report);
  }
}

/**
 * The values of a ConfigMap or a Secret, of which Kubernetes takes one that is empty. Elsewhere a map's `null` stays wrong: a selector that loses
 * a label selects more.
 */
function isOfValues([field, ...rest]: JsonPath): boolean {
  return rest.length === 0 && ["data", "stringData", "binaryData"].includes(String(field));
}

function checkObject(value: Value, node: ObjectNode, path: JsonPath, check: ShapeCheck): void {
  const { report } = check;
  for (const [name, item] of Object.entries(value)) {
    const field = Object.hasOwn(node.fields, name) ? node.fields[name] : undefined;
    if (field === undefined) reportUnknown(name, node, path, report);
    else if (item !== null && item !== undefined) checkNode(item, field, [...path, name], check);
  }
  for (const name of node.required ?? []) {
    if (!isSet(value, name)) wrong(report, path, `${formatPath([...path, name])} is missing`, `add ${name}`);
  }
  for (const group of node.oneOf ?? []) {
    const set = group.filter((name) => isSet(value, name));
    const [first, second] = set;
    if (first !== undefined && second !== undefined) {
      wrong(
        report,
        [...path, second],
        `${formatPath([...path, second])} can't stand beside ${first}: only one of ${group.join(", ")} may be set`,
        "remove all but one of them",
      );
    }
  }
}

function reportUnknown(name: string, node: ObjectNode, path: JsonPath, report: Report): void {
  const meant = didYouMean(name, Object.keys(node.fields));
  report({
    code: "KMK1002",
    path: [...path, name],
    message: `unknown field ${formatPath([...path, name.slice(0, 100)])}: it has no effect`,
    help: meant === undefined ? "remove it, or check where it belongs" : `did you mean ${meant}?`,
  });
}

function checkList(value: unknown, node: Extract<CompactNode, { is: "list" }>, path: JsonPath, check: ShapeCheck): void {
  if (!Array.isArray(value)) return wrongType("a list", value, path, check.report);
  if (value.length < (node.minItems ?? 0))
    wrong(check.report, path, `${formatPath(path)} must have at least ${node.minItems} items, and has ${value.length}`);
  if (value.length > (node.maxItems ?? value.length))
    return wrong(check.report, path, `${formatPath(path)} may have at most ${node.maxItems} items, and has ${value.length}`);
  for (const [i, item] of value.entries()) checkNode(item, node.items, [...path, i], check);
}

function checkScalar(value: unknown, node: Exclude<CompactNode, { is: "object" | "map" | "list" }>, path: JsonPath, report: Report): void {
  switch (node.is) {
    case "string":
      return typeof value === "string" ? checkText(value, node, path, report) : wrongType("a text", value, path, report);
    case "number":
    case "integer":
      if (typeof value !== "number" || !Number.isFinite(value)) return wrongType("a number", value, path, report);
      if (node.is === "integer" && !Number.isSafeInteger(value)) return wrongType("a whole number", value, path, report);
      if (value < (node.minimum ?? value)) wrong(report, path, `${formatPath(path)} is ${value}, and must be at least ${node.minimum}`);
      if (value > (node.maximum ?? value)) wrong(report, path, `${formatPath(path)} is ${value}, and must be at most ${node.maximum}`);
      return;
    case "boolean":
      return typeof value === "boolean" ? undefined : wrongType("true or false", value, path, report);
    case "integer-or-string":
      return typeof value === "string" || Number.isSafeInteger(value)
        ? undefined
        : wrongType("a whole number or a text", value, path, report);
    case "quantity":
      return typeof value === "string" || typeof value === "number"
        ? undefined
        : wrongType("a quantity such as 100m or 64Mi", value, path, report);
    case "any":
      return;
  }
}

function checkText(value: string, node: Extract<CompactNode, { is: "string" }>, path: JsonPath, report: Report): void {
  if (node.enum !== undefined && !node.enum.includes(value)) {
    const meant = didYouMean(value, node.enum);
    const help = meant === undefined ? `use one of ${node.enum.filter((text) => text !== "").join(", ")}` : `did you mean ${meant}?`;
    return wrong(report, path, `${formatPath(path)} can't be ${quote(value)}`, help);
  }
  if (value.length < (node.minLength ?? 0))
    wrong(report, path, `${formatPath(path)} must not be ${value === "" ? "empty" : `shorter than ${node.minLength} characters`}`);
  if (value.length > (node.maxLength ?? value.length))
    return wrong(report, path, `${formatPath(path)} is longer than ${node.maxLength} characters`);
  if (node.format !== undefined) return checkFormat(value, node.format, path, report);
  if (node.pattern !== undefined && value.length > LONGEST_FOR_PATTERN)
    return wrong(report, path, `${formatPath(path)} is longer than ${LONGEST_FOR_PATTERN} characters`);
  // The schemas' own patterns, never a user's.
  if (node.pattern !== undefined && !new RegExp(node.pattern, "u").test(value))
    wrong(report, path, `${formatPath(path)} can't be ${quote(value)}: it must match ${node.pattern}`);
}

function wrongType(expected: string, value: unknown, path: JsonPath, report: Report): void {
  const isBareWord = expected === "a text" && (typeof value === "number" || typeof value === "boolean");
  wrong(report, path, `${formatPath(path)} must be ${expected}, and is ${describe(value)}`, isBareWord ? "put it in quotes" : undefined);
}

/** Names the type only: the value may be a password in the wrong place. */
function describe(value: unknown): string {
  if (value === null || value === undefined) return "empty";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  return `a ${typeof value === "string" ? "text" : typeof value}`;
}

/** A user's text in a message: short, and in JSON's quotes, so that no control character gets out. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
}

export function isRecord(value: unknown): value is Value {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSet(value: Value, name: string): boolean {
  return Object.hasOwn(value, name) && value[name] !== null && value[name] !== undefined;
}
