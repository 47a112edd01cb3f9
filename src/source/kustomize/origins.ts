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
  const written = new Map<string, ByKind>();
  const readOnce = (file: string) => {
    const text = texts.get(file);
    const known = written.get(file) ?? byKind(typeof text === "string" ? readWritten(file, text) : []);
    written.set(file, known);
    return known;
  };
  let all: ByKind | undefined;
  const readAll = () => (all ??= byKind(resourceFiles(tree).flatMap((file) => [...readOnce(file).values()].flatMap(({ list }) => list))));
  const sourceOf = (value: Fields, { path, configuredIn, configuredBy }: Fields): Source => {
    const file = typeof path === "string" ? files.get(resolve(from, path)) : undefined;
    if (file !== undefined) return bestOf(readOnce(file), value)?.source ?? rootOf(tree);
    const isGenerated = isFields(configuredBy) && textOf(configuredBy["kind"]).endsWith("Generator");
    const layer = isGenerated && typeof configuredIn === "string" ? layers.get(resolve(from, configuredIn)) : undefined;
    if (layer !== undefined) return generatorOf(layer, value);
    const found = bestOf(readAll(), value);
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

/** What was written of one kind. */
interface OfKind {
  readonly list: readonly Written[];
  readonly byName: ReadonlyMap<string, readonly Written[]>;
}

type ByKind = ReadonlyMap<string, OfKind>;

function byKind(written: readonly Written[]): ByKind {
  const kinds = Map.groupBy(written, ({ value }) => kindOf(value));
  return new Map([...kinds].map(([kind, list]) => [kind, { list, byName: Map.groupBy(list, ({ value }) => idOf(value).name) }]));
}

function kindOf(value: Fields): string {
  const { kind, group } = idOf(value);
  return `${kind}.${group}`;
}

/** Of the same kind, and with the longest name that is part of what it is called now: prefixes and suffixes were added. */
function bestOf(written: ByKind, value: Fields): Written | undefined {
  const ofKind = written.get(kindOf(value));
  if (ofKind === undefined) return undefined;
  const now = idOf(value);
  const longest = longestPart(now.name, ofKind.byName);
  const best = longest ?? ofKind.list;
  return best.find((one) => idOf(one.value).namespace === now.namespace) ?? best[0];
}

const LONGEST_NAME = 253;

function longestPart<T>(name: string, byName: ReadonlyMap<string, T>): T | undefined {
  // Longer ones are no names, and would be looked at for long.
  for (let length = name.length > LONGEST_NAME ? 0 : name.length; length > 0; length--)
    for (let from = 0; from + length <= name.length; from++) {
      const found = byName.get(name.slice(from, from + length));
      if (found !== undefined) return found;
    }
  return undefined;
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
