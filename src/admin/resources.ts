import type { Diagnostic } from "../model/diagnostic.ts";
import { formatPosition } from "../model/position.ts";
import type { Kind } from "../schema/kinds.ts";
import { type ResourceRef, formatRef } from "../model/resource.ts";
import type { AdminBackend, DeleteResult, HeldResource, WriteResult } from "./backend.ts";
import { parseLabelSelector } from "./label-selector.ts";
import type { Target } from "./path.ts";
import { HOLDER_ANNOTATION, isRedacted, SOURCE_ANNOTATION, toJson, toListJson } from "./resource-json.ts";
import { replicaStatus } from "./replica-status.ts";
import { Refusal, type StatusDetails, success } from "./status-object.ts";

export interface Answer {
  readonly code: number;
  readonly body: unknown;
}

type Collection = Extract<Target, { readonly kind: "collection" }>;
type Single = Extract<Target, { readonly kind: "resource" }>;
type Document = Readonly<Record<string, unknown>>;

/** `GET` of a kind, in one namespace or in all, by `labelSelector`; in the order of namespace and name. */
export function list(backend: AdminBackend, target: Collection, query: URLSearchParams): Answer {
  const selects = parseLabelSelector(query.get("labelSelector") ?? "");
  if (selects === undefined) throw new Refusal("BadRequest", "labelSelector can't be read: write it as in app=users,tier!=db");
  const held = backend.list(target.entry.kind).filter(({ resource }) => {
    const { namespace, labels } = resource.metadata;
    return (target.namespace === undefined || namespace === target.namespace) && selects(labels);
  });
  const items = held.toSorted(byName).map((one) => withStatus(backend, one));
  return { code: 200, body: toListJson(target.entry, target.version, items, backend.revision()) };
}

function byName(one: HeldResource, other: HeldResource): number {
  const [a, b] = [one.resource.metadata, other.resource.metadata];
  return compare(a.namespace, b.namespace) || compare(a.name, b.name);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function read(backend: AdminBackend, target: Single): Answer {
  const held = backend.get(refOf(target));
  if (held === undefined) throw absent(refOf(target), target.entry);
  return { code: 200, body: withStatus(backend, held) };
}

function withStatus(backend: AdminBackend, held: HeldResource): Document {
  const status = replicaStatus(backend, held);
  return { ...toJson(held), ...(status !== undefined && { status }) };
}

/** `POST` to a collection. */
export async function create(backend: AdminBackend, target: Collection, body: Document): Promise<Answer> {
  const document = complete(body, target.entry, target.version, target.namespace, undefined);
  const result = await backend.put(document, { mode: "create" });
  const ref = refOfDocument(document, target.entry);
  if (result.kind === "conflict")
    throw new Refusal("AlreadyExists", `${formatRef(ref)} already exists`, { name: ref.name, kind: target.entry.plural });
  return answerWrite(result, ref, target.entry);
}

/** `PUT` of one resource: `metadata.resourceVersion`, where given, must be the current one; an absent resource is made. */
export async function update(backend: AdminBackend, target: Single, body: Document): Promise<Answer> {
  const document = complete(body, target.entry, target.version, target.namespace, target.name);
  const revision = (body["metadata"] as Document | undefined)?.["resourceVersion"];
  const conditions = typeof revision === "string" && revision !== "" ? ({ mode: "update", revision } as const) : ({ mode: "any" } as const);
  return answerWrite(await backend.put(document, conditions), refOf(target), target.entry);
}

export async function remove(backend: AdminBackend, target: Single): Promise<Answer> {
  const result = await backend.delete(refOf(target), {});
  if (result.kind !== "deleted") throw refusalOf(result, refOf(target), target.entry);
  return {
    code: 200,
    body: success(`${target.entry.singular} "${target.name}" deleted`, { name: target.name, kind: target.entry.plural }),
  };
}

function refOf(target: Single): ResourceRef {
  return { kind: target.entry.kind, namespace: target.namespace, name: target.name };
}

function refOfDocument(document: Document, entry: Kind): ResourceRef {
  const { namespace = "", name } = document["metadata"] as { readonly namespace?: string; readonly name: string };
  return { kind: entry.kind, namespace, name };
}

/** Names what the URL named, and refuses a body that says otherwise. What this API adds to an answer is taken off again. */
function complete(body: Document, entry: Kind, version: string, namespace: string | undefined, name: string | undefined): Document {
  const apiVersion = entry.group === "" ? version : `${entry.group}/${version}`;
  agree("apiVersion", body["apiVersion"], apiVersion);
  agree("kind", body["kind"], entry.kind);
  const metadata = body["metadata"] ?? {};
  if (typeof metadata !== "object" || Array.isArray(metadata)) throw new Refusal("BadRequest", "metadata is not an object");
  const given = metadata as Document;
  agree("metadata.name", given["name"], name);
  agree("metadata.namespace", given["namespace"], namespace);
  const finalName = name ?? given["name"];
  if (typeof finalName !== "string" || finalName === "") throw invalid("metadata.name is missing", "metadata.name");
  if (isRedacted({ ...body, kind: entry.kind }))
    throw invalid('the values of the Secret are "[redacted]": write the real ones, they are not handed out again', "data");
  const home = entry.namespaced ? (namespace ?? given["namespace"] ?? "default") : undefined;
  const { resourceVersion: _, uid: __, managedFields: ___, namespace: ____, ...kept } = given;
  return {
    ...body,
    apiVersion,
    kind: entry.kind,
    metadata: { ...kept, ...withoutOurs(given), name: finalName, ...(home !== undefined && { namespace: home }) },
  };
}

function withoutOurs(metadata: Document): Document {
  const annotations = metadata["annotations"];
  if (typeof annotations !== "object" || annotations === null || Array.isArray(annotations)) return {};
  const { [SOURCE_ANNOTATION]: _, [HOLDER_ANNOTATION]: __, ...rest } = annotations as Document;
  return { annotations: rest };
}

function agree(field: string, given: unknown, expected: string | undefined): void {
  if (given === undefined || expected === undefined || given === expected) return;
  throw new Refusal("BadRequest", `${field} of the body is not "${expected}", as the path has it`);
}

function invalid(message: string, field: string): Refusal {
  return new Refusal("Invalid", message, { causes: [{ reason: "FieldValueInvalid", message, field }] });
}

function answerWrite(result: WriteResult, ref: ResourceRef, entry: Kind): Answer {
  switch (result.kind) {
    case "created":
      return { code: 201, body: toJson(result.held) };
    case "updated":
    case "unchanged":
      return { code: 200, body: toJson(result.held) };
    default:
      throw refusalOf(result, ref, entry);
  }
}

type Failure = Exclude<WriteResult | DeleteResult, { readonly held: HeldResource }>;

function refusalOf(failure: Failure, ref: ResourceRef, entry: Kind): Refusal {
  const details: StatusDetails = { name: ref.name, kind: entry.plural, ...(entry.group !== "" && { group: entry.group }) };
  switch (failure.kind) {
    case "absent":
      return absent(ref, entry);
    case "declared":
      return new Refusal("Conflict", `${formatRef(ref)} is declared in ${formatPosition(failure.position)}: change it there`, details);
    case "conflict":
      return new Refusal(
        "Conflict",
        `${formatRef(ref)} has changed meanwhile: read it again (its resourceVersion is ${failure.revision})`,
        details,
      );
    case "invalid":
      return new Refusal("Invalid", messageOf(ref, failure.diagnostics), { ...details, causes: failure.diagnostics.map(toCause) });
  }
}

function absent(ref: ResourceRef, entry: Kind): Refusal {
  const where = ref.namespace === "" ? "" : ` in namespace "${ref.namespace}"`;
  return new Refusal("NotFound", `${entry.plural} "${ref.name}" not found${where}`, { name: ref.name, kind: entry.plural });
}

function messageOf(ref: ResourceRef, diagnostics: readonly Diagnostic[]): string {
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === "error");
  return `${formatRef(ref)} is invalid: ${errors.map((diagnostic) => diagnostic.message).join("; ")}`;
}

function toCause(diagnostic: Diagnostic): { readonly reason: string; readonly message: string; readonly field?: string } {
  const help = diagnostic.help === undefined ? "" : ` (${diagnostic.help})`;
  const field = /^[A-Za-z][\w.[\]/-]*(?=[: ])/.exec(diagnostic.message)?.[0];
  return { reason: diagnostic.code, message: diagnostic.message + help, ...(field !== undefined && { field }) };
}
