import type { Diagnostic } from "../../model/diagnostic.ts";
import type { JsonPath } from "../../model/position.ts";
import { formatPath } from "../../model/position.ts";
import { beyond, type Layer, mistaken } from "./layer.ts";
import { isFields } from "./values.ts";

/** What a value must be: a text, a list or map of something, a map with fields of its own, or anything. */
type Form = "text" | "any" | { readonly list: Form } | { readonly map: Form } | { readonly fields: Readonly<Record<string, Form>> };

const TEXTS: Form = { list: "text" };
const PAIRS: Form = { map: "text" };
const PATCHES: Form = { list: { fields: { path: "text", patch: "text", target: PAIRS, options: "any" } } };
const OPTIONS: Form = { fields: { labels: PAIRS, annotations: PAIRS, disableNameSuffixHash: "any", immutable: "any" } };
const GENERATORS: Form = {
  list: {
    fields: {
      ...{ name: "text", namespace: "text", behavior: "text", type: "text" },
      ...{ literals: TEXTS, files: TEXTS, envs: TEXTS, env: "text", options: OPTIONS },
    },
  },
};

const FORMS: Readonly<Record<string, Form>> = {
  ...{ apiVersion: "text", kind: "text", metadata: "any", resources: TEXTS, bases: TEXTS, components: TEXTS, sortOptions: "any" },
  ...{
    patches: PATCHES,
    patchesJson6902: PATCHES,
    patchesStrategicMerge: TEXTS,
    namespace: "text",
    namePrefix: "text",
    nameSuffix: "text",
  },
  labels: { list: { fields: { pairs: PAIRS, includeSelectors: "any", includeTemplates: "any" } } },
  ...{
    commonLabels: PAIRS,
    commonAnnotations: PAIRS,
    configMapGenerator: GENERATORS,
    secretGenerator: GENERATORS,
    generatorOptions: OPTIONS,
  },
  images: { list: { fields: { name: "text", newName: "text", newTag: "text", digest: "text" } } },
  replicas: { list: { fields: { name: "text", count: "any" } } },
};

/** What a layer says that is not rendered, or not of the form that it must have: overlooking it would leave something undone. */
export function checkFields(layer: Layer): readonly Diagnostic[] {
  return check({ fields: FORMS }, layer.value, [], layer);
}

function check(form: Form, value: unknown, path: JsonPath, layer: Layer): readonly Diagnostic[] {
  if (form === "any" || value === null || value === undefined) return [];
  const wrong = (what: string) => [mistaken(layer, path, `${formatPath(path)} is to be ${what}`)];
  if (form === "text") return typeof value === "string" ? [] : wrong("a text: put it in quotes");
  if ("list" in form)
    return Array.isArray(value) ? value.flatMap((item, i) => check(form.list, item, [...path, i], layer)) : wrong("a list");
  if (!isFields(value)) return wrong("a map");
  return Object.entries(value).flatMap(([key, field]) => {
    const at = [...path, key];
    if ("map" in form) return check(form.map, field, at, layer);
    const own = Object.hasOwn(form.fields, key) ? form.fields[key] : undefined;
    if (own !== undefined) return check(own, field, at, layer);
    return isEmpty(field) ? [] : [beyond(layer, at, `the field ${formatPath(at)}`)];
  });
}

function isEmpty(value: unknown): boolean {
  return value === null || value === "" || (Array.isArray(value) ? value.length === 0 : isFields(value) && Object.keys(value).length === 0);
}
