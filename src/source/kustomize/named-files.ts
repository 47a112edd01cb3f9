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

const FILES_OR_FOLDERS = ["resources", "bases", "components", "transformers", "generators", "validators"];

/** All that it names, in fields that are rendered and in those that only kustomize knows. */
export function namedFiles(value: Fields): readonly NamedFile[] {
  const named = FILES_OR_FOLDERS.flatMap((field) =>
    each(value, field).map(([name, path]) => ({ name: textOf(name), path, isFolderToo: true })),
  );
  const files = [
    ...["patchesStrategicMerge", "crds", "configurations"].flatMap((field) => each(value, field)),
    ...["patches", "patchesJson6902", "replacements"].flatMap((field) =>
      each(value, field).flatMap(([entry, path]) => part(entry, "path", path)),
    ),
    ...["configMapGenerator", "secretGenerator"].flatMap((field) =>
      each(value, field).flatMap(([entry, path]) => generatorFiles(entry, path)),
    ),
    ...each(value, "helmCharts").flatMap(([entry, path]) => [
      ...part(entry, "valuesFile", path),
      ...parts(entry, "additionalValuesFiles", path),
    ]),
    ...part(value["openapi"], "path", ["openapi"]),
  ].map(([name, path]) => ({ name: textOf(name), path, isFolderToo: false }));
  // Some may hold the text itself.
  return [...named, ...files].filter(({ name }) => name !== "" && !name.includes("\n"));
}

type Found = readonly [value: unknown, path: JsonPath];

function each(value: Fields, field: string): readonly Found[] {
  return listOf(value[field]).map((item, i) => [item, [field, i]]);
}

function part(entry: unknown, field: string, path: JsonPath): readonly Found[] {
  return isFields(entry) && entry[field] !== undefined ? [[entry[field], [...path, field]]] : [];
}

function parts(entry: unknown, field: string, path: JsonPath): readonly Found[] {
  return isFields(entry) ? listOf(entry[field]).map((item, i) => [item, [...path, field, i]]) : [];
}

function generatorFiles(entry: unknown, path: JsonPath): readonly Found[] {
  const files = parts(entry, "files", path).map(([source, at]): Found => [fileSource(textOf(source))[1], at]);
  return [...files, ...parts(entry, "envs", path), ...part(entry, "env", path)];
}
