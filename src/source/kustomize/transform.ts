import type { JsonPath } from "../../model/position.ts";
import { RE2JS } from "re2js";
import { type FieldSpec, isOf, REPLICAS, SELECTORS, TEMPLATE_ANNOTATIONS, TEMPLATE_LABELS } from "./field-specs.ts";
import { idOf, idsOf, isClusterScoped, metadataOf, remember } from "./item.ts";
import { mistaken } from "./layer.ts";
import type { Patching } from "./patches.ts";
import { type Fields, fieldsOf, isFields, listOf, sizeOf, textOf, textsOf, visit } from "./values.ts";

/** `namespace`: of everything that has one, and the names of Namespaces. */
export function setNamespace({ layer, items, charge }: Patching): void {
  const namespace = textOf(layer.value["namespace"]);
  if (namespace === "") return;
  for (const item of items) {
    charge(namespace.length);
    remember(item);
    const id = idOf(item.value);
    if (!isClusterScoped(id)) metadataOf(item)["namespace"] = namespace;
    if (id.kind === "Namespace" && id.group === "" && id.version === "v1") metadataOf(item)["name"] = namespace;
    if (id.kind === "APIService") visit(item.value, ["spec", "service", "namespace"], set(namespace), true);
    if (id.kind === "CustomResourceDefinition")
      visit(item.value, ["spec", "conversion", "webhook", "clientConfig", "service", "namespace"], set(namespace));
    if (id.kind.endsWith("RoleBinding"))
      for (const subject of listOf(item.value["subjects"]))
        if (isFields(subject) && subject["name"] === "default") subject["namespace"] = namespace;
  }
}

const set = (value: string) => (holder: Fields, key: string) => {
  holder[key] = value;
};

const UNNAMED = new Set(["CustomResourceDefinition", "APIService", "Namespace"]);

/** `namePrefix` and `nameSuffix`. */
export function addAffixes({ layer, items, charge }: Patching): void {
  const prefix = textOf(layer.value["namePrefix"]);
  const suffix = textOf(layer.value["nameSuffix"]);
  for (const item of items) {
    if (UNNAMED.has(idOf(item.value).kind)) continue;
    charge(prefix.length + suffix.length);
    if (prefix !== "") {
      remember(item);
      item.prefixes.push(prefix);
    }
    metadataOf(item)["name"] = `${prefix}${idOf(item.value).name}`;
    if (suffix === "") continue;
    remember(item);
    item.suffixes.push(suffix);
    metadataOf(item)["name"] = `${idOf(item.value).name}${suffix}`;
  }
}

/** `labels`, and `commonLabels`, which are in selectors and templates, too. */
export function addLabels(patching: Patching): void {
  const { layer } = patching;
  for (const entry of listOf(layer.value["labels"]).filter(isFields)) {
    const isInSelectors = entry["includeSelectors"] === true;
    const isInTemplates = isInSelectors || entry["includeTemplates"] === true;
    addPairs(patching, textsOf(entry["pairs"]), [
      "labels",
      [...(isInTemplates ? TEMPLATE_LABELS : []), ...(isInSelectors ? SELECTORS : [])],
    ]);
  }
  addPairs(patching, textsOf(layer.value["commonLabels"]), ["labels", [...SELECTORS, ...TEMPLATE_LABELS]]);
}

/** `commonAnnotations`. */
export function addAnnotations(patching: Patching): void {
  addPairs(patching, textsOf(patching.layer.value["commonAnnotations"]), ["annotations", TEMPLATE_ANNOTATIONS]);
}

type Pairs = readonly (readonly [string, string])[];

function addPairs({ items, charge }: Patching, pairs: Pairs, [field, specs]: readonly [field: string, specs: readonly FieldSpec[]]): void {
  if (pairs.length === 0) return;
  const fields = Object.fromEntries(pairs);
  const size = sizeOf(fields);
  const add = (holder: Fields, key: string) => {
    charge(size);
    Object.assign(fieldsOf(holder, key), fields);
  };
  for (const item of items) {
    add(metadataOf(item), field);
    const id = idOf(item.value);
    for (const spec of specs) if (isOf(spec, id)) visit(item.value, spec.path, add, spec.isCreated);
  }
}

/** `replicas`: a name that nothing with replicas has is a mistake. */
export function setReplicas({ layer, items, refuse }: Patching): void {
  for (const [i, entry] of listOf(layer.value["replicas"]).entries()) {
    const { name, count } = isFields(entry) ? entry : { name: undefined, count: undefined };
    const found = items.filter((item) => idsOf(item).some((id) => id.name === name && isOf(REPLICAS, id)));
    if (typeof count !== "number") refuse(mistaken(layer, ["replicas", i], "replicas has no count"));
    else if (found.length === 0) refuse(mistaken(layer, ["replicas", i], `nothing with replicas is named ${String(name)}`));
    else for (const item of found) fieldsOf(item.value, "spec")["replicas"] = count;
  }
}

/** `images`: names, tags and digests of containers' images. */
export function setImages({ layer, items, refuse, charge }: Patching): void {
  for (const [i, entry] of listOf(layer.value["images"]).entries()) {
    const path: JsonPath = ["images", i];
    const pattern = isFields(entry) ? imagePattern(textOf(entry["name"])) : undefined;
    if (!isFields(entry) || pattern === undefined) {
      refuse(mistaken(layer, path, "an image has no name, or one that is no expression"));
      continue;
    }
    const size = sizeOf(entry);
    for (const { value } of items)
      if (idOf(value).kind !== "CustomResourceDefinition")
        visitImages(value, (image) => {
          if (!pattern.matches(image)) return image;
          charge(size);
          return changed(image, entry);
        });
  }
}

/** kustomize takes the name as an expression. */
function imagePattern(name: string): RE2JS | undefined {
  try {
    return name === "" ? undefined : RE2JS.compile(`${name}(:[a-zA-Z0-9_.{}-]*)?(@sha256:[a-zA-Z0-9_.{}-]*)?`);
  } catch {
    return undefined;
  }
}

/** Each container's, wherever a list of containers is. */
function visitImages(node: unknown, change: (image: string) => string): void {
  if (Array.isArray(node)) for (const item of node) visitImages(item, change);
  if (!isFields(node)) return;
  for (const [key, value] of Object.entries(node)) {
    if (key === "containers" || key === "initContainers")
      for (const container of listOf(value))
        if (isFields(container) && typeof container["image"] === "string") container["image"] = change(container["image"]);
    visitImages(value, change);
  }
}

const IMAGE = /^(?<name>(?:[^/]*\/)*[^:@/]*)(?::(?<tag>[^@]*))?(?:@(?<digest>.*))?$/s;

function changed(image: string, { newName, newTag, digest: newDigest }: Fields): string {
  const { name = image, tag = "", digest = "" } = IMAGE.exec(image)?.groups ?? {};
  const isReplaced = textOf(newTag) !== "" || textOf(newDigest) !== "";
  const [tagNow, digestNow] = isReplaced ? [textOf(newTag), textOf(newDigest)] : [tag, digest];
  return `${textOf(newName) || name}${tagNow === "" ? "" : `:${tagNow}`}${digestNow === "" ? "" : `@${digestNow}`}`;
}
