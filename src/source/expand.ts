import type { JsonPath, SourcePosition } from "../model/position.ts";
import type { RawDocument } from "../schema/index.ts";
import { readInnerText } from "./inner-text.ts";
import { findPlace, type Place } from "./place.ts";
import { type Fault, isFault, type Plain } from "./plain.ts";

type Value = Readonly<Record<string, unknown>>;

/** The text that a document stands in. */
export interface Surroundings {
  readonly text: string;
  readonly positionAt: (offset: number) => SourcePosition;
  /** Of documents that name none; one that names another can't be used. */
  readonly namespace?: string | undefined;
}

/** Istio's place for MeshConfig. */
const MESH = { kind: "ConfigMap", namespace: "istio-system", name: "istio", key: "mesh" } as const;

/** What one document declares: the items of a list one by one, and beside the mesh's ConfigMap the MeshConfig in it. */
export function expandDocument({ value, place }: Plain, surroundings: Surroundings): readonly RawDocument[] | Fault {
  const list = isObject(value) && typeof value["kind"] === "string" && value["kind"].endsWith("List") ? value["items"] : undefined;
  if (!Array.isArray(list)) return withMeshConfig({ value, place }, surroundings);
  const expanded: RawDocument[] = [];
  for (const [i, item] of list.entries()) {
    const more = withMeshConfig({ value: item, place: findPlace(place, ["items", i]) }, surroundings);
    if (isFault(more)) return more;
    expanded.push(...more);
  }
  return expanded;
}

function withMeshConfig(plain: Plain, surroundings: Surroundings): readonly RawDocument[] | Fault {
  const placed = inNamespace(plain, surroundings.namespace);
  if (isFault(placed)) return placed;
  const { value, place } = placed;
  const locate = (path: JsonPath) => surroundings.positionAt(findPlace(place, path).offset);
  const document: RawDocument = { value, locate };
  const config = findMeshConfig(value);
  if (config === undefined) return [document];
  const read = readInnerText(config.text, { text: surroundings.text, offset: valueOffset(findPlace(place, ["data", MESH.key])) });
  if (isFault(read)) return read;
  const body = read.value ?? {};
  if (!isObject(body)) return { code: "KMK0002", message: "the mesh's configuration is no object", offset: read.offsetOf([]) };
  const mesh = Object.assign(Object.create(null) as object, body, {
    apiVersion: "mesh.istio.io/v1alpha1",
    kind: "MeshConfig",
    metadata: config.metadata,
  });
  return [document, { value: mesh, locate: (path) => (isOuter(path) ? locate(path) : surroundings.positionAt(read.offsetOf(path))) }];
}

/** As `kubectl apply --namespace` has it. */
function inNamespace(plain: Plain, namespace: string | undefined): Plain | Fault {
  const { value, place } = plain;
  if (namespace === undefined || !isObject(value) || !isObject(value["metadata"])) return plain;
  const declared = value["metadata"]["namespace"] ?? "";
  if (declared === namespace) return plain;
  if (declared !== "")
    return {
      code: "KMK1001",
      message: `metadata.namespace is ${JSON.stringify(declared)}, where all of the file is for namespace ${namespace}`,
      help: "take one of the two namespaces out",
      offset: findPlace(place, ["metadata", "namespace"]).offset,
    };
  const metadata = plainObject({ ...value["metadata"], namespace });
  return { value: plainObject({ ...value, metadata }), place };
}

function plainObject(fields: Value): Value {
  return Object.assign(Object.create(null) as object, fields);
}

/** The MeshConfig has its identity from the ConfigMap. */
function isOuter([first]: JsonPath): boolean {
  return first === "metadata" || first === "kind" || first === "apiVersion";
}

function findMeshConfig(value: unknown): { readonly text: string; readonly metadata: Value } | undefined {
  if (!isObject(value) || value["kind"] !== MESH.kind) return undefined;
  const { metadata, data } = value;
  if (!isObject(metadata) || !isObject(data)) return undefined;
  const text = data[MESH.key];
  const isMesh = metadata["namespace"] === MESH.namespace && metadata["name"] === MESH.name && typeof text === "string";
  return isMesh ? { text, metadata } : undefined;
}

function valueOffset({ valueOffset: ofValue, offset }: Place): number {
  return ofValue ?? offset;
}

function isObject(value: unknown): value is Value {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
