import type { JsonPath } from "../../model/position.ts";
import { isRecord } from "../../schema/shape.ts";

/** Nodes of a document by a pattern, and how many of a path's first steps stay when what is below them gets empty. */
export interface Place {
  readonly path: JsonPath;
  readonly kept: number;
}

/**
 * Where a pattern finds nodes in a document: `spec.rules.*` is each rule, `spec.http.*.{timeout,retries}` two fields of each route; `*` takes each
 * item of a list and each entry of a map. What stands after `|` goes when it gets empty: `spec.rules.*|to.*.operation.*`. An empty pattern is the
 * document.
 */
export function findPlaces(document: unknown, pattern: string): readonly Place[] {
  if (pattern === "") return [{ path: [], kept: 0 }];
  const [fixed = "", ...loose] = pattern.split("|").map((part) => part.split("."));
  const steps = [...fixed, ...loose.flat()];
  const kept = loose.length === 0 ? steps.length : fixed.length;
  let paths: { readonly path: JsonPath; readonly node: unknown }[] = [{ path: [], node: document }];
  for (const step of steps)
    paths = paths.flatMap(({ path, node }) => childrenOf(node, step).map(([key, child]) => ({ path: [...path, key], node: child })));
  return paths.map(({ path }) => ({ path, kept }));
}

function childrenOf(node: unknown, step: string): readonly (readonly [key: string | number, child: unknown])[] {
  if (Array.isArray(node)) return step === "*" ? [...node.entries()] : [];
  if (!isRecord(node)) return [];
  if (step === "*") return Object.entries(node);
  const names = step.startsWith("{") ? step.slice(1, -1).split(",") : [step];
  return names.filter((name) => Object.hasOwn(node, name)).map((name) => [name, node[name]]);
}
