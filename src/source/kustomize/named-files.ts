import { basename } from "node:path";
import type { JsonPath } from "../../model/position.ts";
import { fileSource } from "./generate.ts";
import { type Fields, isFields, listOf, textOf } from "./values.ts";

export const KUSTOMIZATION = /^kustomization(\.ya?ml)?$/i;

export function isKustomization(path: string): boolean {
  return KUSTOMIZATION.test(basename(path));
}

/** A file or folder that a kustomization names. */
export interface NamedFile {
  readonly name: string;
  readonly path: JsonPath;
  /** Folders with a kustomization of their own may stand there, too. */
  readonly isFolderToo: boolean;
}

const FILES_OR_FOLDERS = ["resources", "bases", "components"];
/** Plugins' settings, which may stand there themselves. */
const PLUGINS = ["transformers", "generators", "validators"];

/**
 * All that it names, in fields that are rendered and in those that only kustomize knows. kustomize reads a field's name whatever its letters' case:
 * what it would take in must not be overlooked.
 */
export function namedFiles(value: Fields): readonly NamedFile[] {
  const named = FILES_OR_FOLDERS.flatMap((field) => each(value, field)).map(([name, path]) => ({ name: textOf(name), path }));
  const plugins = PLUGINS.flatMap((field) => each(value, field)).map(([name, path]) => ({ name: textOf(name), path }));
  const files = [
    ...["patchesStrategicMerge", "crds", "configurations"].flatMap((field) => each(value, field)),
    ...["patches", "patchesJson6902", "replacements"].flatMap((field) =>
      // Once, patches were a list of files.
      each(value, field).flatMap(([entry, path]): readonly Found[] => (isFields(entry) ? part(entry, "path", path) : [[entry, path]])),
    ),
    ...["configMapGenerator", "secretGenerator"].flatMap((field) =>
      each(value, field).flatMap(([entry, path]) => generatorFiles(entry, path)),
    ),
    ...each(value, "helmCharts").flatMap(([entry, path]) => [
      ...part(entry, "valuesFile", path),
      ...parts(entry, "additionalValuesFiles", path),
    ]),
    ...part(value, "openapi", []).flatMap(([openapi, path]) => part(openapi, "path", path)),
  ].map(([name, path]) => ({ name: textOf(name), path }));
  const isText = ({ name }: { readonly name: string }) => name.includes("\n");
  return [
    ...named.map((one) => ({ ...one, isFolderToo: true })),
    ...plugins.filter((one) => !isText(one)).map((one) => ({ ...one, isFolderToo: true })),
    ...files.filter((one) => !isText(one)).map((one) => ({ ...one, isFolderToo: false })),
  ].filter(({ name }) => name !== "");
}

type Found = readonly [value: unknown, path: JsonPath];

/** Whether a key is that field, as Go's JSON compares names: letters that differ in case alone are the same. */
export function isField(key: JsonPath[number] | undefined, name: string): boolean {
  return typeof key === "string" && folded(key) === folded(name);
}

function fieldsNamed(value: unknown, name: string): readonly Found[] {
  if (!isFields(value)) return [];
  return Object.entries(value).flatMap(([key, field]): readonly Found[] => (isField(key, name) ? [[field, [key]]] : []));
}

function folded(name: string): string {
  return name.toLowerCase().toUpperCase();
}

function each(value: unknown, field: string): readonly Found[] {
  return parts(value, field, []);
}

function part(entry: unknown, field: string, path: JsonPath): readonly Found[] {
  return fieldsNamed(entry, field).flatMap(([value, at]): readonly Found[] => (value === undefined ? [] : [[value, [...path, ...at]]]));
}

function parts(entry: unknown, field: string, path: JsonPath): readonly Found[] {
  return fieldsNamed(entry, field).flatMap(([value, at]) => listOf(value).map((item, i): Found => [item, [...path, ...at, i]]));
}

function generatorFiles(entry: unknown, path: JsonPath): readonly Found[] {
  const files = parts(entry, "files", path).map(([source, at]): Found => [fileSource(textOf(source))[1], at]);
  return [...files, ...parts(entry, "envs", path), ...part(entry, "env", path)];
}
