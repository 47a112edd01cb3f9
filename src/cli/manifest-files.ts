import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { LineCounter, parseAllDocuments } from "yaml";
import { MeshError } from "../model/error.ts";
import { findKind, type Kind } from "../schema/kinds.ts";
import type { Io } from "./io.ts";

/** One document of a file given by `-f`, on its way to the API. */
export interface Manifest {
  readonly kind: Kind;
  readonly version: string;
  readonly name: string;
  readonly namespace: string | undefined;
  readonly document: Readonly<Record<string, unknown>>;
  /** `file:line`, for messages. */
  readonly where: string;
}

const FILE = /\.(ya?ml|json)$/;
const FILE_LIMIT_BYTES = 16 * 1024 * 1024;
/** An alias may be used, but not to make a small file large. */
const ALIAS_LIMIT = 100;

/**
 * Reads what `-f` names: files, folders (not those within, unless `recursive`), `-` for standard input. Throws a MeshError that names the
 * place for what can't be read: nothing is sent before all of it was understood.
 */
export async function readManifests(paths: readonly string[], recursive: boolean, io: Io): Promise<readonly Manifest[]> {
  const manifests: Manifest[] = [];
  for (const path of paths) {
    if (path === "-") manifests.push(...parseManifests(await io.readStdin(), "<stdin>"));
    else for (const file of filesOf(resolve(io.cwd, path), path, recursive)) manifests.push(...parseManifests(readText(file), file.shown));
  }
  return manifests;
}

interface NamedFile {
  readonly path: string;
  /** As the person wrote it. */
  readonly shown: string;
}

function filesOf(path: string, shown: string, recursive: boolean): readonly NamedFile[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw new MeshError("usage", `there is no file ${shown}`, { help: "check the path after -f" });
  if (!found.isDirectory()) return [{ path, shown }];
  const entries = readdirSync(path, { recursive, encoding: "utf8" })
    .filter((entry) => FILE.test(entry))
    .sort();
  return entries.map((entry) => ({ path: join(path, entry), shown: join(shown, entry) }));
}

function readText({ path, shown }: NamedFile): string {
  try {
    if (statSync(path).size > FILE_LIMIT_BYTES) throw new RangeError(`it is larger than ${FILE_LIMIT_BYTES} bytes`);
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new MeshError("io", `can't read ${shown}`, { cause });
  }
}

/** Reads the documents of one text; empty ones are skipped, a `List` is its items. */
export function parseManifests(text: string, file: string): readonly Manifest[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, uniqueKeys: true });
  if (!Array.isArray(documents)) return [];
  return documents.flatMap((document) => {
    const [fault] = document.errors;
    if (fault !== undefined) throw new MeshError("refused", `${file}:${lines.linePos(fault.pos[0]).line}: ${fault.message.split("\n")[0]}`);
    const line = lines.linePos(document.contents?.range?.[0] ?? 0).line;
    const value = toValue(() => document.toJS({ maxAliasCount: ALIAS_LIMIT }), `${file}:${line}`);
    return value === null || value === undefined ? [] : toManifests(value, `${file}:${line}`);
  });
}

function toValue(read: () => unknown, where: string): unknown {
  try {
    return read();
  } catch (cause) {
    throw new MeshError("refused", `${where}: can't be expanded`, { cause });
  }
}

function toManifests(value: unknown, where: string): readonly Manifest[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new MeshError("refused", `${where}: not a resource`);
  const document = value as Record<string, unknown>;
  const { apiVersion, kind: name } = document;
  if (name === "List" && Array.isArray(document["items"])) return document["items"].flatMap((item) => toManifests(item, where));
  if (typeof apiVersion !== "string" || typeof name !== "string")
    throw new MeshError("refused", `${where}: a resource has apiVersion and kind`);
  const kind = findKind(apiVersion, name);
  if (kind === undefined)
    throw new MeshError("refused", `${where}: there is no kind ${name} in ${apiVersion}`, { help: "kumiko get   (lists the kinds)" });
  const metadata = (document["metadata"] ?? {}) as { readonly name?: unknown; readonly namespace?: unknown };
  if (typeof metadata.name !== "string" || metadata.name === "") throw new MeshError("refused", `${where}: metadata.name is missing`);
  const namespace = typeof metadata.namespace === "string" ? metadata.namespace : undefined;
  return [{ kind, version: apiVersion.split("/").at(-1) ?? "v1", name: metadata.name, namespace, document, where }];
}
