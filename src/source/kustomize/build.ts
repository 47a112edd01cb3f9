import { resolve } from "node:path";
import { type Diagnostic } from "../../model/diagnostic.ts";
import { formatPosition, type JsonPath } from "../../model/position.ts";
import { LineIndex } from "../lines.ts";
import { parseText } from "../parse.ts";
import { LIMITS } from "../limits.ts";
import { isFault } from "../plain.ts";
import { expandLists } from "./expand-lists.ts";
import { checkFields } from "./check-fields.ts";
import { generate, hashSuffix } from "./generate.ts";
import { formatId, idOf, inDefault, type Item, metadataOf, newItem, remember, type Source } from "./item.ts";
import { type Layer, mistaken } from "./layer.ts";
import { applyLatePatches, applyPatches, type Patching } from "./patches.ts";
import { updateReferences } from "./references.ts";
import { addAffixes, addAnnotations, addLabels, setImages, setNamespace, setReplicas } from "./transform.ts";
import { type Charge, copy, type Fields, isFields, listOf, sizeOf, textOf, TooLarge } from "./values.ts";

/** What a rendering is made of: nothing else is read. */
export interface Inputs {
  readonly root: Layer;
  /** Kustomizations and components, by folder. */
  readonly layers: ReadonlyMap<string, Layer>;
  /** Texts by path; what can't be read is a diagnostic. */
  readonly texts: ReadonlyMap<string, string | Diagnostic>;
}

export interface Built {
  /** Empty where there are diagnostics: a rendering is used as a whole or not at all. */
  readonly items: readonly Item[];
  readonly diagnostics: readonly Diagnostic[];
}

/** Renders a kustomization as kustomize would, or says what stands in the way: pure, and nothing is left out. */
export function build(inputs: Inputs): Built {
  const diagnostics: Diagnostic[] = [];
  const builder: Builder = { inputs, diagnostics, count: { layers: 0 }, charge: counting() };
  const items: Item[] = [];
  try {
    accumulate(builder, inputs.root, items);
  } catch (error) {
    if (!(error instanceof TooLarge)) throw error;
    return { items: [], diagnostics: [mistaken(inputs.root, [], error.message)] };
  }
  for (const item of items.filter(({ hasHash }) => hasHash)) {
    remember(item);
    metadataOf(item)["name"] = `${idOf(item.value).name}-${hashSuffix(item.value)}`;
  }
  for (const { item, name } of updateReferences(items))
    diagnostics.push(mistaken(inputs.root, [], `${formatId(idOf(item.value))} names ${name}, which several resources were named`));
  return diagnostics.length > 0 ? { items: [], diagnostics } : { items, diagnostics };
}

interface Builder {
  readonly inputs: Inputs;
  readonly diagnostics: Diagnostic[];
  readonly count: { layers: number };
  readonly charge: Charge;
}

/** Throws TooLarge once all that was charged is more than a program may print. */
function counting(): Charge {
  let total = 0;
  return (size) => {
    total += size;
    if (total > LIMITS.renderedBytes) throw new TooLarge(`it stands for more than ${LIMITS.renderedBytes / 1024 / 1024} MiB`);
  };
}

/** Adds a layer's resources to those there are, and changes what it changes: its own for a kustomization, all there are for a component. */
function accumulate(builder: Builder, layer: Layer, items: Item[]): void {
  const { diagnostics, inputs } = builder;
  const before = diagnostics.length;
  if (++builder.count.layers > LIMITS.renderedLayers) {
    // Once is enough: what is above it ends for the same reason.
    if (builder.count.layers === LIMITS.renderedLayers + 1)
      diagnostics.push(mistaken(layer, [], `more than ${LIMITS.renderedLayers} bases are taken in`));
    return;
  }
  diagnostics.push(...checkFields(layer));
  if (diagnostics.length > before) return;
  for (const field of ["resources", "bases"])
    for (const [i, name] of listOf(layer.value[field]).entries()) addResource(builder, { layer, items, name, path: [field, i] });
  checkNames(layer, items, diagnostics);
  const patching: Patching = {
    layer,
    items,
    charge: builder.charge,
    refuse: (diagnostic) => void diagnostics.push(diagnostic),
    read: (name) => {
      const text = inputs.texts.get(resolve(layer.folder, name));
      if (text !== undefined && typeof text !== "string") diagnostics.push(text);
      return typeof text === "string" ? text : undefined;
    },
  };
  generate(patching);
  for (const name of listOf(layer.value["components"])) {
    const component = inputs.layers.get(resolve(layer.folder, textOf(name)));
    if (component !== undefined) accumulate(builder, component, items);
  }
  // What a patch can't find may be what could not be read.
  if (diagnostics.length > before) return;
  for (const step of [applyPatches, setNamespace, addAffixes, addLabels, addAnnotations, applyLatePatches, setReplicas, setImages])
    step(patching);
  checkNames(layer, items, diagnostics);
}

interface Named {
  readonly layer: Layer;
  readonly items: Item[];
  readonly name: unknown;
  readonly path: JsonPath;
}

function addResource(builder: Builder, { layer, items, name, path }: Named): void {
  const { inputs, diagnostics } = builder;
  const file = resolve(layer.folder, textOf(name));
  const base = inputs.layers.get(file);
  if (base !== undefined) {
    const own: Item[] = [];
    accumulate(builder, base, own);
    for (const item of own) items.push(item);
    return;
  }
  const text = inputs.texts.get(file);
  if (text === undefined) return; // Said where the inputs were read.
  if (typeof text !== "string") return void diagnostics.push(text);
  const lines = new LineIndex(text);
  const positionAt = (offset: number) => ({ file, ...lines.at(offset) });
  const parsed = parseText(text);
  if (isFault(parsed)) {
    const message = `${formatPosition(positionAt(parsed.offset))} can't be read: ${parsed.message}`;
    return void diagnostics.push({ ...mistaken(layer, path, message), position: positionAt(parsed.offset) });
  }
  for (const plain of parsed)
    for (const { value, place } of expandLists(plain)) {
      const source: Source = { file, text, place, positionAt };
      if (isFields(value) && textOf(value["kind"]) !== "" && isFields(value["metadata"]) && textOf(value["metadata"]["name"]) !== "") {
        builder.charge(sizeOf(value));
        items.push(newItem(copy(value), source));
      } else diagnostics.push({ ...mistaken(layer, path, "a resource lacks its kind or name"), position: positionAt(place.offset) });
    }
}

/** Two of one name are a mistake, as soon as there are. */
function checkNames(layer: Layer, items: readonly Item[], diagnostics: Diagnostic[]): void {
  const known = new Set<string>();
  for (const { value } of items as readonly { readonly value: Fields }[]) {
    const id = idOf(value);
    const key = JSON.stringify([id.group, id.version, id.kind, id.name, inDefault(id.namespace)]);
    if (known.has(key)) diagnostics.push(mistaken(layer, [], `${formatId(id)} comes twice`));
    known.add(key);
  }
}
