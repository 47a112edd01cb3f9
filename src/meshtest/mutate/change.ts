import { formatPath, type JsonPath } from "../../model/position.ts";
import { isRecord } from "../../schema/shape.ts";
import { nodeAt, withNode, withoutNode } from "./edit.ts";
import type { Place } from "./place.ts";
import { areApart } from "./routes-apart.ts";

/** A document after one change. */
export interface Changed {
  /** Where the change is, for its line. */
  readonly path: JsonPath;
  /** What was done, in words: `spec.rules[1] dropped`. */
  readonly words: string;
  /** Absent where all of it is gone. */
  readonly document?: object;
}

/** Changes what stands at a place; undefined where this kind of change makes no sense of it. */
export type Change = (document: object, place: Place) => Changed | undefined;

export const drop: Change = (document, { path, kept }) => {
  if (path.length === 0) return { path, words: "dropped" };
  return { path, words: `${describe(document, path)} dropped`, document: withoutNode(document, path, kept) as object };
};

/** A field takes another value; `absent` is what it means where it isn't written. */
export function become(field: string, others: Readonly<Record<string, string>>, absent?: string): Change {
  return (document, place) => {
    const path = [...place.path, field];
    const before = nodeAt(document, path) ?? absent;
    const after = typeof before === "string" && Object.hasOwn(others, before) ? others[before] : undefined;
    if (after === undefined) return undefined;
    return { path, words: `${formatPath(path)} ${String(before)} made ${after}`, document: withNode(document, path, after) as object };
  };
}

/** `{prefix: /a}` for `{exact: /a}` and back. */
export const swapPrefixAndExact: Change = (document, { path }) => {
  const matcher = nodeAt(document, path);
  if (!isRecord(matcher)) return undefined;
  for (const [from, to] of [
    ["prefix", "exact"],
    ["exact", "prefix"],
  ] as const) {
    const text = matcher[from];
    if (typeof text !== "string") continue;
    const rest = Object.fromEntries(Object.entries(matcher).filter(([key]) => key !== from));
    const words = `${formatPath(path)} ${from} ${quote(text)} made ${to}`;
    return { path, words, document: withNode(document, path, { ...rest, [to]: text }) as object };
  }
  return undefined;
};

/** `/a` for `/a*` and back: how policies write the two. */
export const swapStar: Change = (document, { path }) => {
  const text = nodeAt(document, path);
  if (typeof text !== "string" || text === "*" || text.startsWith("*") || text.includes("{")) return undefined;
  const after = text.endsWith("*") ? text.slice(0, -1) : `${text}*`;
  return { path, words: `${formatPath(path)} ${quote(text)} made ${quote(after)}`, document: withNode(document, path, after) as object };
};

/** A route changes places with the next, where a request may meet the conditions of both. */
export const swapWithNext: Change = (document, { path }) => {
  const [list, at] = [path.slice(0, -1), path.at(-1)];
  const items = nodeAt(document, list);
  if (!Array.isArray(items) || typeof at !== "number" || at + 1 >= items.length) return undefined;
  const [first, second] = [items[at] as unknown, items[at + 1] as unknown];
  if (areApart(first, second)) return undefined;
  const words = `${formatPath(path)} and [${at + 1}] swapped`;
  return { path, words, document: withNode(document, list, items.with(at, second).with(at + 1, first)) as object };
};

/** Each destination gets the same share. */
export const evenWeights: Change = (document, { path }) => {
  const destinations = nodeAt(document, path);
  if (!Array.isArray(destinations) || !destinations.every(isRecord)) return undefined;
  const weights = destinations.map(({ weight = 0 }) => weight);
  if (new Set(weights).size < 2) return undefined;
  const even = destinations.map((destination) => ({ ...destination, weight: 1 }));
  return {
    path,
    words: `weights ${weights.join(", ")} of ${formatPath(path)} made equal`,
    document: withNode(document, path, even) as object,
  };
};

/** A field's path, and of a listed word the word. Values of fields and maps may be secrets. */
function describe(document: object, path: JsonPath): string {
  const node = nodeAt(document, path);
  const isListed = typeof path.at(-1) === "number" && (typeof node === "string" || typeof node === "number");
  return isListed ? `${formatPath(path)} ${quote(String(node))}` : formatPath(path);
}

const MOST_SHOWN = 60;

function quote(text: string): string {
  return JSON.stringify(text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text);
}
