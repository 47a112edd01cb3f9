import type { JsonPath, SourcePosition } from "./position.ts";

/** The name of one declared resource; `namespace` is empty for what belongs to no namespace. */
export interface ResourceRef {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** Of the same namespace as what it owns. */
export interface Owner {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
}

/** What every kind carries. `creationTimestamp` decides where the older of two resources wins (RFC 3339). */
export interface Metadata {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly creationTimestamp?: string;
  /** The workload whose controller made it: the entry of `ownerReferences` that says `controller`. */
  readonly owner?: Owner;
}

/**
 * One declared resource as every stage after `source/` sees it: checked, defaulted, frozen.
 * `body` is the whole document beside `metadata` (`spec`, `data`, `status`, ...), shaped by its kind's schema.
 */
export interface Resource<Body = unknown> {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Metadata;
  readonly body: Body;
  /** Hash of everything but positions and comments: equal hashes mean that nothing needs to be sent. */
  readonly hash: string;
}

/** A resource and where it stands. Beside the resource and not in it: a comment above moves the place and changes nothing else. */
export interface LocatedResource<Body = unknown> extends Resource<Body> {
  /** Where a node of the document stands; the nearest parent that has a position answers for what was defaulted. */
  readonly locate: (path: JsonPath) => SourcePosition;
}

/** `Kind/namespace/name`, the form that people and `expect.because` use. */
export function formatRef(ref: ResourceRef): string {
  return ref.namespace === "" ? `${ref.kind}/${ref.name}` : `${ref.kind}/${ref.namespace}/${ref.name}`;
}

/** No document can have it in its name: it marks what was made beside a resource that several files declare, `p~2` beside `p`. */
export const BESIDE = "~";

/** The name that files have, of what was made beside a declared resource, too. */
export function declaredName(name: string): string {
  return name.split(BESIDE, 1)[0] ?? name;
}

/** As `formatRef`, by the name under which it is found in the files; for words alone, as several have the same. */
export function formatDeclared(ref: ResourceRef): string {
  return formatRef({ ...ref, name: declaredName(ref.name) });
}

export function refOf(resource: Pick<Resource, "kind" | "metadata">): ResourceRef {
  return { kind: resource.kind, namespace: resource.metadata.namespace, name: resource.metadata.name };
}
