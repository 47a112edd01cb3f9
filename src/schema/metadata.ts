import { didYouMean } from "../base/did-you-mean.ts";
import type { Metadata, Owner } from "../model/resource.ts";
import type { Kind } from "./kinds.ts";
import { explainName, isDnsLabel, isDnsSubdomain, isLabelKey, isLabelValue } from "./names.ts";
import { type Report, wrong } from "./report.ts";
import { isRecord, quote } from "./shape.ts";

/** Written by an API server, or of use to it only. */
const FIELDS_OF_THE_SERVER = [
  "creationTimestamp",
  "deletionGracePeriodSeconds",
  "deletionTimestamp",
  "finalizers",
  "generateName",
  "generation",
].concat(["managedFields", "ownerReferences", "resourceVersion", "selfLink", "uid"]);
const FIELDS = [...FIELDS_OF_THE_SERVER, "annotations", "labels", "name", "namespace"];
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;
const LARGEST_ANNOTATIONS = 256 * 1024;

/** Reads `metadata`; undefined where not even the name can be used. A namespaced resource without one belongs to `default`. */
export function readMetadata(value: unknown, kind: Kind, report: Report): Metadata | undefined {
  if (!isRecord(value)) return void wrong(report, ["metadata"], "metadata is missing", "add metadata with a name");
  for (const field of Object.keys(value)) if (!FIELDS.includes(field)) reportUnknown(field, report);
  const { name, namespace, creationTimestamp } = value;
  if (typeof name !== "string" || !isNameOf(kind, name)) {
    const missing = name === undefined || name === null;
    return void wrong(
      report,
      ["metadata", "name"],
      missing ? "metadata.name is missing" : `metadata.name can't be ${typeof name === "string" ? quote(name) : `a ${typeof name}`}`,
      missing ? explainMissing(value) : typeof name === "string" ? explainName(name, formOf(kind)) : "put it in quotes",
    );
  }
  if (
    kind.namespaced &&
    namespace !== undefined &&
    namespace !== null &&
    namespace !== "" &&
    (typeof namespace !== "string" || !isDnsLabel(namespace))
  ) {
    const help = typeof namespace === "string" ? explainName(namespace, { dots: false }) : "put it in quotes";
    return void wrong(report, ["metadata", "namespace"], "metadata.namespace is no namespace", help);
  }
  const owner = readOwner(value["ownerReferences"]);
  const isTime = typeof creationTimestamp === "string" && TIMESTAMP.test(creationTimestamp);
  if (!isTime && creationTimestamp !== undefined && creationTimestamp !== null)
    wrong(report, ["metadata", "creationTimestamp"], "metadata.creationTimestamp is no time (RFC 3339)");
  return Object.freeze({
    name,
    namespace: kind.namespaced ? (typeof namespace === "string" && namespace !== "" ? namespace : "default") : "",
    labels: readLabels(value["labels"], report),
    annotations: readAnnotations(value["annotations"], report),
    ...(isTime && { creationTimestamp }),
    ...(owner !== undefined && { owner }),
  });
}

/** At most one owner is a controller; what has no such shape owns nothing. */
function readOwner(references: unknown): Owner | undefined {
  const controller = Array.isArray(references) ? references.find((one) => isRecord(one) && one["controller"] === true) : undefined;
  const { apiVersion, kind, name } = isRecord(controller) ? controller : {};
  const isNamed = typeof apiVersion === "string" && typeof kind === "string" && typeof name === "string";
  return isNamed ? Object.freeze({ apiVersion, kind, name }) : undefined;
}

/** The form of a kind's names, as its API validates them: Services and Namespaces are labels of a host. */
function formOf({ kind }: Kind): { readonly dots: boolean } {
  return { dots: kind !== "Service" && kind !== "Namespace" };
}

function isNameOf(kind: Kind, name: string): boolean {
  return formOf(kind).dots ? isDnsSubdomain(name) : isDnsLabel(name);
}

function explainMissing({ generateName }: Readonly<Record<string, unknown>>): string {
  return typeof generateName === "string" ? "a cluster makes one of generateName: write one" : "add a name";
}

function reportUnknown(field: string, report: Report): void {
  const meant = didYouMean(field, FIELDS);
  report({
    code: "KMK1002",
    path: ["metadata", field],
    message: `unknown field metadata.${field.slice(0, 100)}: it has no effect`,
    help: meant === undefined ? "remove it, or make it a label or an annotation" : `did you mean ${meant}?`,
  });
}

function readLabels(value: unknown, report: Report): Readonly<Record<string, string>> {
  return readTexts(value, "labels", report, (key, text) => {
    if (!isLabelKey(key)) wrong(report, ["metadata", "labels", key], `${quote(key)} can't be a label's key`);
    if (!isLabelValue(text))
      wrong(
        report,
        ["metadata", "labels", key],
        `metadata.labels.${key} can't be a label's value`,
        "use up to 63 letters, digits, dashes, dots and underscores",
      );
  });
}

function readAnnotations(value: unknown, report: Report): Readonly<Record<string, string>> {
  let size = 0;
  return readTexts(value, "annotations", report, (key, text) => {
    const before = size;
    size += key.length + text.length;
    if (before <= LARGEST_ANNOTATIONS && size > LARGEST_ANNOTATIONS)
      wrong(report, ["metadata", "annotations"], "the annotations are larger than 256 KiB together");
  });
}

function readTexts(
  value: unknown,
  field: "labels" | "annotations",
  report: Report,
  check: (key: string, text: string) => void,
): Readonly<Record<string, string>> {
  if (value === undefined || value === null) return Object.freeze({});
  if (!isRecord(value)) {
    wrong(report, ["metadata", field], `metadata.${field} must be an object`);
    return Object.freeze({});
  }
  const texts: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [key, text] of Object.entries(value)) {
    if (text === null && field === "annotations") continue;
    if (typeof text !== "string") wrong(report, ["metadata", field, key], `metadata.${field}.${key} must be a text`, "put it in quotes");
    else {
      check(key, text);
      texts[key] = text;
    }
  }
  return Object.freeze(texts);
}
