import type { JsonPath } from "../../model/position.ts";
import { parseText } from "../parse.ts";
import { isFault } from "../plain.ts";
import { formatId, idOf, idsOf, isSameId, type Item, metadataOf, remember } from "./item.ts";
import { applyJsonPatch, WrongPatch } from "./json-patch.ts";
import { beyond, type Layer, mistaken, type Refuse } from "./layer.ts";
import { select, WrongSelector } from "./select.ts";
import { BeyondMerge, mergeStrategically, REMOVED } from "./strategic-merge.ts";
import { type Charge, type Fields, fieldsOf, isFields, listOf, sizeOf, textOf } from "./values.ts";

/** What a layer's patches are applied to; the list changes where one removes a resource. */
export interface Patching {
  readonly layer: Layer;
  readonly items: Item[];
  /** The text of a file that the layer names. */
  readonly read: (name: string) => string | undefined;
  readonly refuse: Refuse;
  readonly charge: Charge;
}

/** `patchesStrategicMerge`, then `patches`, which come before names change. */
export function applyPatches(patching: Patching): void {
  const { value } = patching.layer;
  for (const [i, entry] of listOf(value["patchesStrategicMerge"]).entries()) {
    const name = textOf(entry);
    applyEntry(patching, name.includes("\n") ? { patch: name } : { path: name }, ["patchesStrategicMerge", i]);
  }
  for (const [i, entry] of listOf(value["patches"]).entries()) applyEntry(patching, entry, ["patches", i]);
}

/** `patchesJson6902`, which come after names have changed. */
export function applyLatePatches(patching: Patching): void {
  for (const [i, entry] of listOf(patching.layer.value["patchesJson6902"]).entries()) applyEntry(patching, entry, ["patchesJson6902", i]);
}

function applyEntry(patching: Patching, entry: unknown, path: JsonPath): void {
  const { layer, refuse } = patching;
  if (!isFields(entry)) return refuse(mistaken(layer, path, "a patch is no map"));
  const { options, target } = entry;
  if (isFields(options) && Object.values(options).some((option) => option !== false))
    return refuse(beyond(layer, [...path, "options"], "a patch that may change names or kinds"));
  const parsed = textOfPatch(patching, entry, path);
  if (parsed === undefined) return;
  try {
    applyParsed(patching, { documents: parsed, target, path });
  } catch (error) {
    if (error instanceof BeyondMerge) refuse(beyond(layer, path, error.message));
    else if (error instanceof WrongPatch || error instanceof WrongSelector)
      refuse(mistaken(layer, path, `the patch can't be applied: ${error.message}`));
    else throw error;
  }
}

function textOfPatch({ layer, read, refuse }: Patching, entry: Fields, path: JsonPath): readonly unknown[] | undefined {
  const name = textOf(entry["path"]);
  const inline = textOf(entry["patch"]);
  if ((name === "") === (inline === "")) return void refuse(mistaken(layer, path, "a patch has either a path or a text"));
  const text = name === "" ? inline : read(name);
  if (text === undefined) return undefined; // That it can't be read is said where it is named.
  const parsed = parseText(text);
  if (isFault(parsed)) return void refuse(mistaken(layer, path, `the patch is no YAML: ${parsed.message}`));
  const documents = parsed.map(({ value }) => value);
  return documents.length === 0 ? void refuse(mistaken(layer, path, "the patch is empty")) : documents;
}

interface Parsed {
  readonly documents: readonly unknown[];
  readonly target: unknown;
  readonly path: JsonPath;
}

function applyParsed(patching: Patching, { documents, target, path }: Parsed): void {
  const { layer, items, refuse, charge } = patching;
  const [first] = documents;
  if (Array.isArray(first)) {
    if (!isFields(target)) return refuse(mistaken(layer, path, "a JSON patch needs a target"));
    for (const item of select(items, target)) {
      remember(item);
      item.value = applyJsonPatch(item.value, first, charge);
    }
    return;
  }
  if (isFields(target) && documents.length > 1) return refuse(mistaken(layer, path, "several patches in one entry can't have a target"));
  for (const patch of documents) {
    if (!isFields(patch)) return refuse(mistaken(layer, path, "the patch is no map"));
    const id = idOf(patch);
    const targets = isFields(target) ? select(items, target) : items.filter((item) => idsOf(item).some((one) => isSameId(one, id)));
    if (!isFields(target) && targets.length !== 1) {
      const found = targets.length === 0 ? "no resource is" : "several resources are";
      return refuse(mistaken(layer, path, `${found} what the patch is for: ${formatId(id)}`));
    }
    for (const item of targets) {
      charge(sizeOf(patch));
      merge(items, item, patch);
    }
  }
}

function merge(items: Item[], item: Item, patch: Fields): void {
  const merged = mergeStrategically(item.value, patch, builtInKind(item));
  if (merged === REMOVED) items.splice(items.indexOf(item), 1);
  else item.value = named(item, merged);
}

/** Kinds whose lists kustomize knows: Kubernetes' own. */
function builtInKind({ value }: Item): string | undefined {
  const { group, kind } = idOf(value);
  const isBuiltIn = !group.includes(".") || (group.endsWith(".k8s.io") && group !== "gateway.networking.k8s.io");
  return isBuiltIn ? kind : undefined;
}

/** A patch of a strategic merge changes no name: that is how it says which resource it means. */
function named(item: Item, value: Fields): Fields {
  const { name, namespace } = metadataOf(item);
  value["kind"] = item.value["kind"];
  value["apiVersion"] = item.value["apiVersion"];
  const metadata = fieldsOf(value, "metadata");
  metadata["name"] = name;
  if (namespace === undefined) delete metadata["namespace"];
  else metadata["namespace"] = namespace;
  return value;
}
