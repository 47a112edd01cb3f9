import { formatRef, type LocatedResource, refOf } from "../model/resource.ts";
import type { FileMemory } from "./file-memory.ts";
import type { FileName } from "./list-files.ts";
import type { Declared } from "./merge.ts";
import type { Fate } from "./removal-guard.ts";

/** What is remembered of a file between two readings. */
export interface KnownFile extends FileName {
  readonly stamp: string;
  /** Where its resources were written, if elsewhere: what becomes of it becomes of those. */
  readonly inputs: readonly string[];
  /** Files that belong to it, where it is rendered; absolute paths. */
  readonly takes: ReadonlySet<string>;
  /** When it is to be read again although nothing has changed. */
  readonly againMs?: number;
  /** As it was last read; undefined where it could not be. */
  readonly text: string | undefined;
  /** As it was when it last could be used. */
  readonly goodText: string | undefined;
  readonly memory: FileMemory;
  readonly fate: Fate;
  /** It has lost something just now, and goes on as it was until it has been as it is for a while. */
  readonly waiting?: { readonly stamp: string; readonly sinceMs: number; readonly leaving: ReadonlySet<string> };
}

export function hasSameWords(one: FileMemory, other: FileMemory): boolean {
  const words = ({ diagnostics }: FileMemory) => JSON.stringify(diagnostics.map(({ message, position }) => [message, position]));
  return one.resources === other.resources && words(one) === words(other);
}

export function placesOf({ resources }: FileMemory): readonly string[] {
  return [...new Set(resources.map(({ locate }) => locate([]).file))];
}

export function withoutWaiting(known: KnownFile, stamp: string): KnownFile {
  const { waiting: _, ...rest } = known;
  return { ...rest, stamp };
}

export function nameOf({ path, namespace, values }: FileName): FileName {
  return { path, ...(namespace !== undefined && { namespace }), ...(values !== undefined && { values }) };
}

export function isBelow(file: string, path: string): boolean {
  return file === path || file.startsWith(path.endsWith("/") ? path : `${path}/`);
}

/** Of those that a file which is read for several namespaces has, the first of these counts. */
const FATES: readonly Fate[] = ["empty", "gone", "unclear", "goes-on"];

/** @param gone what was rendered of them is gone, though they themselves may not be */
export function fatesOf(files: Iterable<KnownFile>, gone: readonly KnownFile[]): ReadonlyMap<string, Fate> {
  const fates = new Map<string, Fate>();
  const rendered = gone.filter(({ takes }) => takes.size > 0).map((file) => ({ ...file, fate: "gone" as const }));
  for (const { path, inputs, fate } of [...files, ...rendered])
    for (const place of new Set([path, ...inputs])) {
      const other = fates.get(place);
      fates.set(place, other === undefined ? fate : (FATES.find((one) => one === fate || one === other) ?? fate));
    }
  return fates;
}

export function fateOf(before: FileMemory, now: FileMemory): Fate {
  if (now.resources.length === 0) return "empty";
  const isWrong = now.diagnostics.some(({ severity }) => severity === "error");
  return isWrong || now.nameless > before.nameless ? "unclear" : "goes-on";
}

/** What each file declares; what is about to leave one file and stands in another already has moved. */
export function partsOf(files: ReadonlyMap<string, KnownFile>): readonly Declared[] {
  const elsewhere = new Set(
    [...files.values()].flatMap(({ memory, waiting }) => memory.resources.map(keyOf).filter((key) => waiting?.leaving.has(key) !== true)),
  );
  return [...files.values()].map(({ memory, waiting }) =>
    waiting === undefined
      ? memory
      : { ...memory, resources: memory.resources.filter((one) => !(waiting.leaving.has(keyOf(one)) && elsewhere.has(keyOf(one)))) },
  );
}

export function hasSameMemories(one: ReadonlyMap<string, KnownFile>, other: ReadonlyMap<string, KnownFile>): boolean {
  return one.size === other.size && [...other].every(([path, { memory }]) => one.get(path)?.memory === memory);
}

export function keyOf(resource: LocatedResource): string {
  return formatRef(refOf(resource));
}
