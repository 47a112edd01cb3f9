import { dirname, join, resolve } from "node:path";
import type { SourcePosition } from "../model/position.ts";
import { readFileText } from "./file-text.ts";
import { LineIndex } from "./lines.ts";
import { parseText } from "./parse.ts";
import { isFault } from "./plain.ts";
import { findPlace } from "./place.ts";

export const KUSTOMIZATION = /^kustomization(\.ya?ml)?$/i;

/** Fields whose items name files that change resources, by the field of the item; `""` where the item is the name itself. */
const CHANGING = [
  ["patches", "path"],
  ["patchesJson6902", "path"],
  ["patchesStrategicMerge", ""],
  ["replacements", "path"],
  ["transformers", ""],
] as const;

/**
 * The files that a kustomization names as changes of other resources, by their path, with the line that names them. They look like resources, and
 * are none. What can't be read names nothing.
 */
export async function findPatches(kustomization: string): Promise<ReadonlyMap<string, SourcePosition>> {
  const patches = new Map<string, SourcePosition>();
  const text = await readFileText(kustomization);
  if (typeof text !== "string") return patches;
  const documents = parseText(text);
  if (isFault(documents)) return patches;
  const lines = new LineIndex(text);
  for (const { value, place } of documents)
    for (const [field, key] of CHANGING) {
      const items = fieldOf(value, field);
      if (!Array.isArray(items)) continue;
      for (const [i, item] of items.entries()) {
        const name: unknown = key === "" ? item : fieldOf(item, key);
        // `patchesStrategicMerge` may hold the patch itself.
        if (typeof name !== "string" || name === "" || name.includes("\n")) continue;
        const { offset } = findPlace(place, [field, i]);
        patches.set(resolve(dirname(kustomization), name), { file: kustomization, ...lines.at(offset) });
      }
    }
  return patches;
}

/** The folder of the Helm chart whose template a file is: `CHART/templates/…` with `CHART/Chart.yaml`; undefined where it is none. */
export function chartOf(file: string, charts: ReadonlySet<string>): string | undefined {
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder))
    if (charts.has(dirname(folder)) && folder === join(dirname(folder), "templates")) return dirname(folder);
  return undefined;
}

function fieldOf(value: unknown, field: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, field) ? (value as Record<string, unknown>)[field] : undefined;
}
