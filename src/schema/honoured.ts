import type { JsonPath } from "../model/position.ts";
import { formatPath } from "../model/position.ts";
import type { Report } from "./report.ts";
import { isRecord } from "./shape.ts";

/**
 * Which fields of a kind have an effect: `true` for a field with all that is in it, `false` for one that is only read, a text for one
 * without which something stands open or is missing, which the text names; else field by field. Lists are transparent. Exhaustive by its
 * type: a field that a newer API adds doesn't compile until someone decides.
 */
export type Honoured<T> =
  | boolean
  | string
  | (T extends readonly (infer Item)[]
      ? Honoured<Item>
      : string extends keyof T
        ? never
        : T extends object
          ? { readonly [Key in keyof T]-?: Honoured<NonNullable<T[Key]>> }
          : never);

/** The same for Kubernetes' kinds: what isn't named matters to a cluster, and has no effect where there is none. */
export type HonouredSome<T> =
  | boolean
  | string
  | (T extends readonly (infer Item)[]
      ? HonouredSome<Item>
      : string extends keyof T
        ? never
        : T extends object
          ? { readonly [Key in keyof T]?: HonouredSome<NonNullable<T[Key]>> }
          : never);

/** Run-time form of both. The field `*` stands for every one that isn't named: of a map, whose keys no schema lists. */
export type HonouredTree = boolean | string | { readonly [field: string]: HonouredTree | undefined };

/** One finding (KMK1003) for each set field that has no effect, once for all items of a list. */
export function checkHonoured(body: unknown, tree: HonouredTree, report: Report): void {
  const seen = new Set<string>();
  const visit = (value: unknown, node: HonouredTree | undefined, path: JsonPath): void => {
    if (node === true || value === null || value === undefined) return;
    if (Array.isArray(value) && typeof node === "object") return value.forEach((item, i) => visit(item, node, [...path, i]));
    if (isRecord(value) && typeof node === "object")
      return Object.keys(value).forEach((key) => visit(value[key], Object.hasOwn(node, key) ? node[key] : node["*"], [...path, key]));
    if (typeof node === "object") return;
    const general = path.filter((step) => typeof step === "string").join(".");
    if (seen.has(general)) return;
    seen.add(general);
    const isForClusters = node === undefined;
    report({
      code: "KMK1003",
      path,
      message: isForClusters
        ? `${formatPath(path)} has an effect on Kubernetes only`
        : `${formatPath(path)} is not honoured yet${typeof node === "string" ? `: ${node}` : ""}`,
      ...(isForClusters ? { severity: "info" } : { help: "remove it, or don't rely on it" }),
    });
  };
  visit(body, tree, []);
}
