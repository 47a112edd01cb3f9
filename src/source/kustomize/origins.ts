import { realpath } from "node:fs/promises";
import { resolve } from "node:path";
import type { Diagnostic } from "../../model/diagnostic.ts";
import { LineIndex } from "../lines.ts";
import { parseText } from "../parse.ts";
import { findPlace } from "../place.ts";
import { isFault } from "../plain.ts";
import type { RenderedResource } from "../rendering.ts";
import { expandLists } from "./expand-lists.ts";
import { idOf, type Source } from "./item.ts";
import type { Layer } from "./layer.ts";
import type { Tree } from "./tree.ts";
import { copy, type Fields, isFields, listOf, textOf } from "./values.ts";

const ORIGIN = "config.kubernetes.io/origin";

interface Tracing {
  readonly tree: Tree;
  readonly texts: ReadonlyMap<string, string | Diagnostic>;
  /** The folder to which the origins are relative. */
  readonly from: string;
}

/**
 * Takes kustomize's word for the file of each resource, and finds the document in it. A patch may have taken the word away: then any document of
 * the kind and name will do, and without one the kustomization stands for it.
 */
export async function traceOrigins(values: readonly unknown[], { tree, texts, from }: Tracing): Promise<readonly RenderedResource[]> {
  const files = new Map([...tree.files].map(([file, real]) => [real, file]));
  const layers = new Map<string, Layer>();
  for (const layer of tree.layers.values()) layers.set(await realpath(layer.file).catch(() => layer.file), layer);
  const written = new Map<string, readonly Written[]>();
  const readOnce = (file: string) => {
    const text = texts.get(file);
    const known = written.get(file) ?? (typeof text === "string" ? readWritten(file, text) : []);
    written.set(file, known);
    return known;
  };
  const sourceOf = (value: Fields, { path, configuredIn, configuredBy }: Fields): Source => {
    const file = typeof path === "string" ? files.get(resolve(from, path)) : undefined;
    if (file !== undefined) return bestOf(readOnce(file), value)?.source ?? rootOf(tree);
    const isGenerated = isFields(configuredBy) && textOf(configuredBy["kind"]).endsWith("Generator");
    const layer = isGenerated && typeof configuredIn === "string" ? layers.get(resolve(from, configuredIn)) : undefined;
    if (layer !== undefined) return generatorOf(layer, value);
    const found = bestOf(resourceFiles(tree).flatMap(readOnce), value);
    return found !== undefined && idOf(value).name.includes(idOf(found.value).name) ? found.source : rootOf(tree);
  };
  return values.filter(isFields).map((rendered) => {
    const value = copy(rendered);
    const origin = takeOrigin(value);
    return { value, source: sourceOf(value, origin) };
  });
}

function resourceFiles({ layers, files }: Tree): readonly string[] {
  const named = [...layers.values()].flatMap(({ folder, value }) =>
    ["resources", "bases"].flatMap((field) => listOf(value[field]).map((name) => resolve(folder, textOf(name)))),
  );
  return named.filter((file) => files.has(file));
}

function takeOrigin(value: Fields): Fields {
  const metadata = value["metadata"];
  const annotations = isFields(metadata) ? metadata["annotations"] : undefined;
  if (!isFields(metadata) || !isFields(annotations)) return {};
  const parsed = parseText(textOf(annotations[ORIGIN]));
  delete annotations[ORIGIN];
  if (Object.keys(annotations).length === 0) delete metadata["annotations"];
  const origin = isFault(parsed) ? undefined : parsed[0]?.value;
  return isFields(origin) ? origin : {};
}

interface Written {
  readonly value: Fields;
  readonly source: Source;
}

function readWritten(file: string, text: string): readonly Written[] {
  const lines = new LineIndex(text);
  const positionAt = (offset: number) => ({ file, ...lines.at(offset) });
  const parsed = parseText(text);
  return isFault(parsed)
    ? []
    : parsed
        .flatMap(expandLists)
        .flatMap(({ value, place }) => (isFields(value) ? [{ value, source: { file, text, place, positionAt } }] : []));
}

/** Of the same kind, and with the longest name that is part of what it is called now: prefixes and suffixes were added. */
function bestOf(written: readonly Written[], value: Fields): Written | undefined {
  const now = idOf(value);
  const ofKind = written.filter((one) => idOf(one.value).kind === now.kind && idOf(one.value).group === now.group);
  const rank = (one: Written) => {
    const { name, namespace } = idOf(one.value);
    return (now.name.includes(name) ? 2 * name.length + 2 : 0) + (namespace === now.namespace ? 1 : 0);
  };
  return ofKind.toSorted((one, other) => rank(other) - rank(one))[0];
}

function generatorOf({ value: layer, source }: Layer, value: Fields): Source {
  const { kind, name } = idOf(value);
  const field = kind === "Secret" ? "secretGenerator" : "configMapGenerator";
  const names = listOf(layer[field]).map((entry) => (isFields(entry) ? textOf(entry["name"]) : ""));
  const best = names.filter((one) => one !== "" && name.includes(one)).toSorted((one, other) => other.length - one.length)[0];
  const { offset } = best === undefined ? source.place : findPlace(source.place, [field, names.indexOf(best)]);
  return { ...source, place: { offset } };
}

function rootOf({ root, file }: Tree): Source {
  const place = { offset: 0 };
  return root === undefined ? { file, text: "", place, positionAt: () => ({ file, line: 1, column: 1 }) } : { ...root.source, place };
}
