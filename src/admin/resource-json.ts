import { formatPosition } from "../model/position.ts";
import type { Kind } from "../schema/kinds.ts";
import type { HeldResource } from "./backend.ts";

/** Says in an answer where the resource stands (`file:line`); never stored. */
export const SOURCE_ANNOTATION = "kumiko.dev/source";
/** `folder`, `store` or `runtime`: who may change it. */
export const HOLDER_ANNOTATION = "kumiko.dev/holder";
/** kubectl's copy of what was applied: for a Secret it would be the secret. */
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

const REDACTED = "[redacted]";

type Document = Readonly<Record<string, unknown>>;

/** A resource as the API answers it. The values of a Secret stay here: only gateways get them, by SDS. */
export function toJson({ resource, revision, holder }: HeldResource): Document {
  const { creationTimestamp, labels, annotations, name, namespace, owner } = resource.metadata;
  const position = resource.locate([]);
  return {
    apiVersion: resource.apiVersion,
    kind: resource.kind,
    metadata: {
      name,
      ...(namespace !== "" && { namespace }),
      resourceVersion: revision,
      ...(creationTimestamp !== undefined && { creationTimestamp }),
      ...(owner !== undefined && { ownerReferences: [{ ...owner, controller: true }] }),
      ...(Object.keys(labels).length > 0 && { labels }),
      annotations: {
        ...Object.fromEntries(Object.entries(annotations).filter(([key]) => resource.kind !== "Secret" || key !== LAST_APPLIED)),
        [HOLDER_ANNOTATION]: holder,
        [SOURCE_ANNOTATION]: formatPosition(position),
      },
    },
    ...(resource.kind === "Secret" ? withoutValues(resource.body) : (resource.body as Document)),
  };
}

function withoutValues(body: unknown): Document {
  const hide = (values: unknown) => Object.fromEntries(Object.keys((values ?? {}) as Document).map((key) => [key, REDACTED]));
  const entries = Object.entries(body as Document);
  return Object.fromEntries(entries.map(([key, value]) => [key, key === "data" || key === "stringData" ? hide(value) : value]));
}

/** True for a Secret that was read from this API and is about to be written back: its values are gone. */
export function isRedacted(document: Document): boolean {
  if (document["kind"] !== "Secret") return false;
  return ["data", "stringData"].some((key) => Object.values((document[key] ?? {}) as Document).includes(REDACTED));
}

export function toListJson(kind: Kind, version: string, items: readonly Document[], revision: string): Document {
  return {
    kind: `${kind.kind}List`,
    apiVersion: kind.group === "" ? version : `${kind.group}/${version}`,
    metadata: { resourceVersion: revision },
    items,
  };
}
