import { copy, type Fields, isFields } from "./values.ts";

/** Fields of Kubernetes' own kinds whose lists are merged item by item, and what tells the items apart (`x-kubernetes-patch-merge-key`). */
const MERGE_KEYS: Readonly<Record<string, readonly string[]>> = {
  containers: ["name"],
  initContainers: ["name"],
  ephemeralContainers: ["name"],
  volumes: ["name"],
  imagePullSecrets: ["name"],
  secrets: ["name"],
  env: ["name"],
  volumeMounts: ["mountPath"],
  volumeDevices: ["devicePath"],
  hostAliases: ["ip"],
  topologySpreadConstraints: ["topologyKey", "whenUnsatisfiable"],
  webhooks: ["name"],
  ownerReferences: ["uid"],
  schedulingGates: ["name"],
  resourceClaims: ["name"],
};

/** What a patch asks for beyond this. */
export class BeyondMerge extends Error {}

/** Removed by the patch as a whole. */
export const REMOVED = Symbol("removed");

/**
 * A strategic merge patch as kustomize applies it: maps are merged, `null` takes a field away, lists of Kubernetes' own kinds are merged by their
 * keys with the patch's items first, other lists are replaced.
 * @param kind of the resource, where it is one of Kubernetes' own
 * @throws BeyondMerge for directives other than `$patch`.
 */
export function mergeStrategically(target: Fields, patch: Fields, kind: string | undefined): Fields | typeof REMOVED {
  const directive = patch["$patch"];
  if (directive === "delete") return REMOVED;
  const plain = withoutDirective(patch);
  if (directive === "replace") return copy(plain);
  const merged = copy(target);
  for (const [key, value] of Object.entries(plain)) mergeField(merged, { key, value, kind });
  return merged;
}

interface PatchedField {
  readonly key: string;
  readonly value: unknown;
  readonly kind: string | undefined;
}

function mergeField(merged: Fields, { key, value, kind }: PatchedField): void {
  const before = merged[key];
  if (value === null) delete merged[key];
  else if (isFields(value)) {
    const after = mergeStrategically(isFields(before) ? before : (Object.create(null) as Fields), value, kind);
    if (after === REMOVED) delete merged[key];
    else merged[key] = after;
  } else if (Array.isArray(value)) {
    const after = mergeList(before, { key, value, kind });
    if (after.length === 0 && value.length > 0) delete merged[key];
    else merged[key] = after;
  } else merged[key] = value;
}

function mergeList(before: unknown, { key, value, kind }: PatchedField): readonly unknown[] {
  const items = value as readonly unknown[];
  const directive = items.find((item) => isFields(item) && typeof item["$patch"] === "string" && Object.keys(item).length === 1);
  const given = items.filter((item) => item !== directive);
  const keys = kind !== undefined ? keysOf(key, kind, [...given, ...(Array.isArray(before) ? before : [])]) : undefined;
  if (directive !== undefined) {
    const { $patch } = directive as Fields;
    if ($patch === "delete") return [];
    if ($patch === "replace") return given.map((item) => copy(item));
  }
  if (key === "finalizers" && Array.isArray(before)) return [...new Set([...given, ...before])];
  if (keys === undefined || !Array.isArray(before)) return given.flatMap((item) => withoutNulls(item, kind));
  return mergeByKeys(before, { keys, given, kind });
}

interface KeyedItems {
  readonly keys: readonly string[];
  readonly given: readonly unknown[];
  readonly kind: string | undefined;
}

/** In the patch's order, and then what only the target has. */
function mergeByKeys(before: readonly unknown[], { keys, given, kind }: KeyedItems): readonly unknown[] {
  const rest: unknown[] = [...before];
  const first: unknown[] = [];
  for (const item of given) {
    const at = rest.findIndex((known) => isSameItem(known, item, keys));
    const known = rest[at];
    if (isFields(item) && item["$patch"] === "replace") throw new BeyondMerge("$patch: replace of a list's item");
    if (!isFields(item)) first.push(item);
    else if (!isFields(known)) first.push(...withoutNulls(item, kind));
    else {
      const merged = mergeStrategically(known, item, kind);
      const items = merged === REMOVED ? [] : [merged];
      // Where several keys are all there, kustomize leaves the item where it was.
      const isLeft = keys.length > 1 && keys.every((key) => key in known && key in item);
      rest.splice(at, 1, ...(isLeft ? items : []));
      if (!isLeft) first.push(...items);
    }
  }
  return [...first, ...rest];
}

/** @throws BeyondMerge where one of two items with the same first key lacks the second: what kustomize then does is hard to say. */
function isSameItem(one: unknown, other: unknown, [first = "", ...more]: readonly string[]): boolean {
  if (!isFields(one) || !isFields(other) || one[first] === undefined || one[first] !== other[first]) return false;
  const unsure = more.find((key) => (one[key] === undefined) !== (other[key] === undefined));
  if (unsure !== undefined) throw new BeyondMerge(`a patch of a list in which ${unsure} is not said everywhere`);
  return more.every((key) => one[key] === other[key]);
}

function keysOf(key: string, kind: string, items: readonly unknown[]): readonly string[] | undefined {
  if (key === "ports") {
    // A container's ports and a Service's have one name and other keys; a NetworkPolicy's have none.
    if (items.some((item) => isFields(item) && "containerPort" in item)) return ["containerPort", "protocol"];
    return kind === "Service" ? ["port", "protocol"] : undefined;
  }
  if ((key === "imagePullSecrets" && kind === "ServiceAccount") || (key === "secrets" && kind !== "ServiceAccount")) return undefined;
  return Object.hasOwn(MERGE_KEYS, key) ? MERGE_KEYS[key] : undefined;
}

function withoutNulls(item: unknown, kind: string | undefined): readonly unknown[] {
  if (!isFields(item)) return [item];
  const merged = mergeStrategically(Object.create(null) as Fields, item, kind);
  return merged === REMOVED ? [] : [merged];
}

function withoutDirective(patch: Fields): Fields {
  const plain = { __proto__: null, ...patch } as Fields;
  delete plain["$patch"];
  for (const key of Object.keys(plain)) if (key.startsWith("$")) throw new BeyondMerge(`the directive ${key} of a patch`);
  return plain;
}
