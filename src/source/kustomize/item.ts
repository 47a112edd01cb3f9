import type { SourcePosition } from "../../model/position.ts";
import type { Place } from "../place.ts";
import { type Fields, fieldsOf, isFields, textOf } from "./values.ts";

/** Where a document was written. */
export interface Source {
  readonly file: string;
  readonly text: string;
  readonly place: Place;
  readonly positionAt: (offset: number) => SourcePosition;
}

/** What a resource was called at one moment. */
export interface Id {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
}

/** A resource on its way through the layers; `value` changes. */
export interface Item {
  value: Fields;
  source: Source;
  /** Names it had, the original first: patches and references may use any. */
  readonly former: Id[];
  readonly prefixes: string[];
  readonly suffixes: string[];
  /** It gets a suffix out of what is in it. */
  hasHash: boolean;
}

export function newItem(value: Fields, source: Source, hasHash = false): Item {
  return { value, source, former: [idOf(value)], prefixes: [], suffixes: [], hasHash };
}

export function idOf(value: Fields): Id {
  const [version = "", group = ""] = textOf(value["apiVersion"]).split("/").toReversed();
  const metadata = isFields(value["metadata"]) ? value["metadata"] : {};
  return { group, version, kind: textOf(value["kind"]), name: textOf(metadata["name"]), namespace: textOf(metadata["namespace"]) };
}

/** All that it was and is called. */
export function idsOf({ former, value }: Item): readonly Id[] {
  return [...former, idOf(value)];
}

/** To be called before the name or namespace changes. */
export function remember(item: Item): void {
  const now = idOf(item.value);
  if (!item.former.some((id) => isSameId(id, now))) item.former.push(now);
}

export function metadataOf({ value }: Item): Fields {
  return fieldsOf(value, "metadata");
}

export function isSameId(one: Id, other: Id): boolean {
  return isSameKind(one, other) && one.name === other.name && inDefault(one.namespace) === inDefault(other.namespace);
}

export function isSameKind(one: Id, other: Id): boolean {
  return one.kind === other.kind && one.group === other.group && one.version === other.version;
}

/** A namespace that is not named is that of the name `default`. */
export function inDefault(namespace: string): string {
  return namespace === "" ? "default" : namespace;
}

export function formatId({ kind, namespace, name }: Id): string {
  return namespace === "" ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}

const CLUSTER_KINDS = new Set([
  ...["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "CustomResourceDefinition", "APIService", "IngressClass"],
  ...["CertificateSigningRequest", "FlowSchema", "PriorityLevelConfiguration", "RuntimeClass", "ClusterRole", "ClusterRoleBinding"],
  ...["PriorityClass", "CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "ComponentStatus", "Namespace", "Node"],
  ...["PersistentVolume", "PodSecurityPolicy", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"],
]);

/** Kinds of Kubernetes itself alone are known to have no namespace: to kustomize every other kind has one. */
export function isClusterScoped(id: Id): boolean {
  return CLUSTER_KINDS.has(id.kind) && (id.group === "" || !id.group.includes(".") || id.group.endsWith(".k8s.io"));
}
