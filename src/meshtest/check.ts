import { didYouMean } from "../base/did-you-mean.ts";
import type { JsonPath, SourcePosition } from "../model/position.ts";
import type { RawDocument } from "../schema/index.ts";
import { isDnsLabel } from "../schema/names.ts";
import { isRecord } from "../schema/shape.ts";
import { checkAgainst, withoutNulls } from "./check-against.ts";
import type { MeshTest, ShorthandWorkload } from "./document.ts";
import { API_VERSION, KIND } from "./document-schema.ts";
import { type FileError, fileError } from "./file-error.ts";
import { readExpectation } from "./read-expectation.ts";
import { readCaller, readRequest } from "./read-request.ts";
import type { Complain, RawRecord, RawSpec } from "./raw.ts";

export function isMeshTest({ value }: RawDocument): boolean {
  return (
    isRecord(value) && value["kind"] === KIND && typeof value["apiVersion"] === "string" && value["apiVersion"].startsWith("kumiko.dev/")
  );
}

/** An entry of `spec.resources`. */
export interface NamedResources {
  readonly path: string;
  /** Of documents that name none; absent: the test's own. */
  readonly namespace?: string;
  /** Of a Helm chart: a file of values, relative to the test's. */
  readonly values?: string;
  readonly position: SourcePosition;
}

export type CheckedTest =
  | {
      readonly ok: true;
      readonly test: MeshTest;
      readonly resources: readonly NamedResources[];
    }
  | { readonly ok: false; readonly errors: readonly FileError[] };

const DOCUMENT_FIELDS = ["apiVersion", "kind", "metadata", "spec"];
const METADATA_FIELDS = ["name", "namespace", "labels", "annotations"];

/** Checks one MeshTest by itself; whether the workloads that it names exist is for `checkNames`. */
export function checkTest(document: RawDocument): CheckedTest {
  const errors: FileError[] = [];
  const complain: Complain = (path, message, help) => void errors.push(fileError(document.locate(path), message, help));
  const value = document.value as RawRecord;
  const metadata = readMetadata(value, complain);
  const { apiVersion: _, kind: __, metadata: ___, ...body } = value;
  const known = Object.fromEntries(Object.entries(body).filter(([field]) => field === "spec"));
  checkAgainst("MeshTest", known, [], complain);
  if (errors.length > 0 || !isRecord(body["spec"])) return { ok: false, errors };
  const spec = withoutNulls(body["spec"]) as RawSpec;
  const workloads = (spec.workloads ?? []).map((workload, i): ShorthandWorkload => {
    const { name, namespace = metadata.namespace, labels = {}, serviceAccount = "default", ports = [], cluster, network } = workload;
    const position = document.locate(["spec", "workloads", i, "name"]);
    return { name, namespace, labels, serviceAccount, ports, ...(cluster && { cluster }), ...(network && { network }), position };
  });
  const calls = spec.calls.map((call, i) => {
    const path = ["spec", "calls", i];
    const within: Complain = (inner, message, help) => complain([...path, ...inner], message, help);
    const from = readCaller(call.from, (inner, ...rest) => within(["from", ...inner], ...rest));
    const request = readRequest(call.request, (inner, ...rest) => within(["request", ...inner], ...rest));
    const expect = readExpectation(call.expect, (inner, ...rest) => within(["expect", ...inner], ...rest));
    const name = call.name ?? `${call.request.method ?? "GET"} ${call.request.url}`;
    const locate = (inner: JsonPath) => document.locate([...path, ...inner]);
    return { name, position: locate(call.name === undefined ? [] : ["name"]), from, request, expect, locate };
  });
  const expectDiagnostics = (spec.expectDiagnostics ?? []).map((expected, i) => {
    const path = ["spec", "expectDiagnostics", i];
    if ((expected.code ?? expected.resource) === undefined) complain(path, "it names no diagnostic", "set code, resource or both");
    return { ...expected, position: document.locate(path) };
  });
  const resources = readResources(spec.resources ?? [], document, complain);
  if (errors.length > 0) return { ok: false, errors };
  const test = {
    ...metadata,
    profile: spec.profile ?? "istio",
    workloads,
    calls,
    expectDiagnostics,
    position: document.locate([]),
  } as const;
  return { ok: true, test, resources };
}

function readResources(given: readonly unknown[], { locate }: RawDocument, complain: Complain): readonly NamedResources[] {
  return given.flatMap((item, i) => {
    const at = ["spec", "resources", i];
    const entry = typeof item === "string" ? { path: item } : item;
    checkAgainst("Resources", entry, at, complain);
    const { path, namespace, values } = (isRecord(entry) ? entry : {}) as Partial<NamedResources>;
    if (namespace !== undefined && !isNamespace(namespace)) complain([...at, "namespace"], "it is no namespace", NAMESPACE_FORM);
    if (typeof path !== "string") return [];
    return [{ path, ...(namespace !== undefined && { namespace }), ...(typeof values === "string" && { values }), position: locate(at) }];
  });
}

const NAMESPACE_FORM = "use small letters, digits and dashes";

function isNamespace(value: unknown): boolean {
  return typeof value === "string" && isDnsLabel(value);
}

function readMetadata(value: RawRecord, complain: Complain): { readonly name: string; readonly namespace: string } {
  if (value["apiVersion"] !== API_VERSION) complain(["apiVersion"], `apiVersion must be ${API_VERSION}`);
  reportUnknown(value, DOCUMENT_FIELDS, [], complain);
  const { metadata } = value;
  if (!isRecord(metadata)) {
    complain(["metadata"], "metadata is missing", "add metadata with a name");
    return { name: "", namespace: "default" };
  }
  reportUnknown(metadata, METADATA_FIELDS, ["metadata"], complain);
  const { name, namespace = "default" } = metadata;
  if (typeof name !== "string" || name === "") complain(["metadata", "name"], "metadata.name is missing", "add a name");
  if (!isNamespace(namespace)) complain(["metadata", "namespace"], "metadata.namespace is no namespace", NAMESPACE_FORM);
  return { name: String(name), namespace: String(namespace) };
}

function reportUnknown(value: RawRecord, known: readonly string[], path: JsonPath, complain: Complain): void {
  for (const field of Object.keys(value)) {
    if (known.includes(field)) continue;
    const meant = didYouMean(field, known);
    complain(
      [...path, field],
      `unknown field ${[...path, field.slice(0, 100)].join(".")}`,
      meant === undefined ? "remove it" : `did you mean ${meant}?`,
    );
  }
}
