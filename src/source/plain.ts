import { type Document, isAlias, isMap, isScalar, isSeq, type Node, type Pair, type Scalar, type YAMLMap, type YAMLSeq } from "yaml";
import type { DiagnosticCode } from "../model/diagnostic.ts";
import { LIMITS } from "./limits.ts";
import type { Place } from "./place.ts";

/** Why a text can't be used, and where. */
export interface Fault {
  readonly code: DiagnosticCode;
  readonly message: string;
  readonly offset: number;
  readonly help?: string;
}

export interface Plain {
  readonly value: unknown;
  readonly place: Place;
}

/** Counts over one file, so that many small documents cost no more than a large one. */
export interface Budget {
  nodes: number;
}

type Result = Plain | Fault;

export function isFault(result: object): result is Fault {
  return "message" in result && "code" in result;
}

/**
 * Turns a YAML document into plain data (objects without prototype) and its places. Aliases are followed and counted each time; a key that
 * occurs twice, a value that JSON doesn't have, and whatever breaks a limit is a fault.
 */
export function toPlain(document: Document.Parsed, budget: Budget): Result {
  const reader: Reader = { budget, anchors: new Map(), open: new Set() };
  return readNode(document.contents, document.range[0], 0, reader);
}

interface Reader {
  readonly budget: Budget;
  readonly anchors: Map<string, Node>;
  /** Anchored nodes that are being read: an alias to one of them would never end. */
  readonly open: Set<Node>;
}

function readNode(node: unknown, parentOffset: number, depth: number, reader: Reader): Result {
  if (node === null || node === undefined) return { value: null, place: { offset: parentOffset } };
  const { range, anchor } = node as Node & { anchor?: string };
  const offset = range?.[0] ?? parentOffset;
  reader.budget.nodes++;
  if (reader.budget.nodes > LIMITS.nodesPerFile)
    return limit(
      `the file stands for more than ${LIMITS.nodesPerFile} values, aliases counted`,
      offset,
      "write less, or use fewer aliases",
    );
  if (depth > LIMITS.depth) return limit(`the document is more than ${LIMITS.depth} levels deep`, offset, "flatten it");
  if (isAlias(node)) return readAlias(node.source, offset, depth, reader);
  if (anchor !== undefined) reader.anchors.set(anchor, node as Node);
  if (isScalar(node)) return readScalar(node, offset);
  reader.open.add(node as Node);
  const result = isSeq(node)
    ? readList(node, offset, depth, reader)
    : isMap(node)
      ? readMap(node, offset, depth, reader)
      : syntax("this is no value", offset);
  reader.open.delete(node as Node);
  return result;
}

function readAlias(name: string, offset: number, depth: number, reader: Reader): Result {
  const target = reader.anchors.get(name);
  if (target === undefined) return syntax("the alias names no anchor before it", offset);
  if (reader.open.has(target)) return limit("the alias stands within what it stands for", offset, "remove the alias");
  const read = readNode(target, offset, depth, reader);
  return isFault(read) ? { ...read, offset } : read;
}

function readScalar({ value }: Scalar, offset: number): Result {
  const isJson =
    value === null || typeof value === "string" || typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value));
  return isJson ? { value, place: { offset } } : syntax("JSON has no such value", offset, "put it in quotes");
}

function readList(node: YAMLSeq, offset: number, depth: number, reader: Reader): Result {
  const value: unknown[] = [];
  const items: Place[] = [];
  for (const item of node.items) {
    const read = readNode(item, offset, depth + 1, reader);
    if (isFault(read)) return read;
    value.push(read.value);
    items.push(read.place);
  }
  return { value, place: { offset, items } };
}

function readMap(node: YAMLMap, offset: number, depth: number, reader: Reader): Result {
  const value = Object.create(null) as Record<string, unknown>;
  const fields = Object.create(null) as Record<string, Place>;
  const merged: { readonly pair: Pair; readonly at: number }[] = [];
  for (const pair of node.items) {
    const { key } = pair;
    const at = isScalar(key) ? (key.range?.[0] ?? offset) : offset;
    if (!isScalar(key)) return syntax("a key must be a text", at);
    if (key.value === "<<" && key.type === "PLAIN") {
      merged.push({ pair, at });
      continue;
    }
    const name = typeof key.value === "string" ? key.value : (key.source ?? String(key.value));
    if (name in value) return limit(`key ${JSON.stringify(name.slice(0, 80))} occurs twice`, at, "remove one of them");
    const read = readNode(pair.value, at, depth + 1, reader);
    if (isFault(read)) return read;
    value[name] = read.value;
    fields[name] = { ...read.place, offset: at, valueOffset: read.place.offset };
  }
  for (const { pair, at } of merged) {
    const fault = mergeInto(value, fields, readNode(pair.value, at, depth, reader), at);
    if (fault !== undefined) return fault;
  }
  return { value, place: { offset, fields } };
}

/** YAML 1.1's merge key, as kubectl reads it: what is there already wins, and of several maps the first. */
function mergeInto(value: Record<string, unknown>, fields: Record<string, Place>, read: Result, offset: number): Fault | undefined {
  if (isFault(read)) return read;
  const sources = Array.isArray(read.value)
    ? read.value.map((item: unknown, i) => ({ item, place: read.place.items?.[i] }))
    : [{ item: read.value, place: read.place }];
  for (const { item, place } of sources) {
    if (typeof item !== "object" || item === null || Array.isArray(item)) return syntax("<< merges maps only", offset);
    for (const [name, field] of Object.entries(item)) {
      if (name in value) continue;
      value[name] = field;
      fields[name] = place?.fields?.[name] ?? { offset };
    }
  }
  return undefined;
}

function limit(message: string, offset: number, help: string): Fault {
  return { code: "KMK0003", message, offset, help };
}

function syntax(message: string, offset: number, help?: string): Fault {
  return { code: "KMK0002", message, offset, ...(help !== undefined && { help }) };
}
