import { dirname, resolve } from "node:path";
import type { Diagnostic } from "../model/diagnostic.ts";
import type { SourcePosition } from "../model/position.ts";
import type { LocatedResource } from "../model/resource.ts";
import type { PlacedPath } from "../model/resource-path.ts";
import { checkDocument, type RawDocument } from "../schema/index.ts";
import { isRecord } from "../schema/shape.ts";
import { type Declared, mergeDeclared, readText } from "../source/index.ts";
import { readContent } from "../source/content.ts";
import { readFileText } from "../source/file-text.ts";
import { fileKey, type FoundFile, listFiles } from "../source/list-files.ts";
import { checkTest, isMeshTest, type NamedResources } from "./check.ts";
import type { MeshTest } from "./document.ts";
import { KIND } from "./document-schema.ts";
import { type FileError, fileError } from "./file-error.ts";

/** A test with all that is declared for it. */
export interface LoadedTest {
  readonly test: MeshTest;
  readonly resources: readonly LocatedResource[];
  /** What the mesh would say of the documents as they are. */
  readonly diagnostics: readonly Diagnostic[];
}

export interface LoadedFile {
  readonly file: string;
  /** Empty where there are errors: a file is used as a whole or not at all. */
  readonly tests: readonly LoadedTest[];
  readonly errors: readonly FileError[];
}

export interface LoadOptions {
  /** Files and folders, as a person typed them. */
  readonly paths: readonly string[];
  readonly cwd: string;
}

export interface Loaded {
  readonly files: readonly LoadedFile[];
  readonly watched: Watched;
}

/** What decides the result, as it was when it was read. */
export interface Watched {
  /** Files and folders. */
  readonly paths: readonly PlacedPath[];
  /** Another text once one of their files has changed, come or gone. */
  readonly stamp: string;
}

/** Reads every MeshTest of the paths; folders are searched. What can't be used is an error of its file and stops no other. */
export async function loadTests({ paths, cwd }: LoadOptions): Promise<Loaded> {
  const files = new Map<string, LoadedFile>();
  const watched = nothingWatched();
  for (const path of paths) {
    const absolute = resolve(cwd, path);
    const listing = await listWatched({ path: absolute }, watched);
    const isFolder = listing.files.length !== 1 || listing.files[0]?.path !== absolute;
    let found = 0;
    for (const { path: file, render } of listing.files) {
      // Kustomizations and charts make resources, and no tests.
      if (render !== undefined) continue;
      const shown = shownPath(file, cwd);
      const loaded = files.get(shown) ?? (await loadFile(file, { shown, cwd, isSearched: isFolder, watched }));
      if (loaded === undefined) continue;
      found++;
      files.set(shown, loaded);
    }
    const position = { file: shownPath(absolute, cwd), line: 1, column: 1 };
    // Nothing is rendered in search of tests.
    const unreadable = listing.diagnostics.filter(({ severity, code }) => severity === "error" && code !== "KMK0007").map(toFileError);
    if (unreadable.length > 0)
      files.set(position.file, { file: position.file, tests: [], errors: unreadable.map((error) => ({ ...error, ...position })) });
    else if (found === 0)
      files.set(position.file, {
        file: position.file,
        tests: [],
        errors: [fileError(position, `there is no ${KIND} in ${path}`, "see docs/meshtest.md")],
      });
  }
  return { files: [...files.values()], watched: { paths: [...watched.paths.values()], stamp: joined(watched.stamps) } };
}

/** What `Watched.stamp` would be now. */
export async function stampOf({ paths }: Watched): Promise<{ readonly stamp: string; readonly folders: readonly string[] }> {
  const watching = nothingWatched();
  const folders = new Set<string>();
  for (const given of paths) for (const folder of (await listWatched(given, watching)).folders) folders.add(folder);
  return { stamp: joined(watching.stamps), folders: [...folders] };
}

function nothingWatched(): Watching {
  return { paths: new Map(), stamps: new Set(), rendered: new Map() };
}

function joined(stamps: ReadonlySet<string>): string {
  return [...stamps].toSorted().join("\n");
}

interface Watching {
  readonly paths: Map<string, PlacedPath>;
  readonly stamps: Set<string>;
  /** What kustomizations and charts make, for all the tests that name them. */
  readonly rendered: Map<string, ReturnType<typeof readContent>>;
}

async function listWatched(given: PlacedPath, { paths, stamps }: Watching): ReturnType<typeof listFiles> {
  const listing = await listFiles([given]);
  paths.set(JSON.stringify(given), given);
  for (const file of listing.files) stamps.add(toStamp(file));
  return listing;
}

/** Rendering takes a program's time: once for each state of the files is enough. */
async function readOnce(found: FoundFile, { rendered }: Watching): ReturnType<typeof readContent> {
  if (found.render === undefined) return await readContent(found);
  const key = JSON.stringify([fileKey(found), found.stamp]);
  const reading = rendered.get(key) ?? readContent(found);
  rendered.set(key, reading);
  return await reading;
}

function toStamp({ path, stamp }: { readonly path: string; readonly stamp: string }): string {
  return `${path} ${stamp}`;
}

interface Place {
  readonly shown: string;
  readonly cwd: string;
  /** Found in a folder: what is no test is none of ours. */
  readonly isSearched: boolean;
  readonly watched: Watching;
}

const MENTION = /\bMeshTest\b/;

async function loadFile(file: string, { shown, cwd, isSearched, watched }: Place): Promise<LoadedFile | undefined> {
  const text = await readFileText(file);
  if (typeof text !== "string") {
    // What is too large may be anything; another file that can't be read may well be a test.
    if (isSearched && text.code === "KMK0003") return undefined;
    return { file: shown, tests: [], errors: [toFileError({ ...text, position: { file: shown, line: 1, column: 1 } })] };
  }
  if (!MENTION.test(text)) return isSearched ? undefined : unusable(shown, `there is no ${KIND} in ${shown}`);
  const { documents, diagnostics } = readText(text, shown);
  if (diagnostics.length > 0) return { file: shown, tests: [], errors: diagnostics.map(toFileError) };
  const tests = documents.filter(isMeshTest);
  if (tests.length === 0) return isSearched ? undefined : unusable(shown, `there is no ${KIND} in ${shown}`);
  const own = documents.filter((document) => !isMeshTest(document));
  const loaded: LoadedTest[] = [];
  const errors: FileError[] = [];
  for (const document of tests) {
    const checked = checkTest(document);
    if (!checked.ok) {
      errors.push(...checked.errors);
      continue;
    }
    const others = await readResources(checked.resources, {
      base: dirname(file),
      own: file,
      namespace: checked.test.namespace,
      cwd,
      watched,
    });
    errors.push(...others.errors);
    // Without a whole file's resources a call could pass that nobody would let pass.
    const lost = others.diagnostics.filter(
      ({ severity, code }) => severity === "error" && !checked.test.expectDiagnostics.some((expected) => expected.code === code),
    );
    errors.push(...lost.map(toFileError));
    const declared = mergeDeclared([
      declare(own, checked.test.namespace),
      ...others.documents.map((more) => declare(more, checked.test.namespace)),
    ]);
    loaded.push({ test: checked.test, resources: declared.resources, diagnostics: [...others.diagnostics, ...declared.diagnostics] });
  }
  return { file: shown, tests: errors.length > 0 ? [] : loaded, errors };
}

interface Others {
  readonly documents: readonly (readonly RawDocument[])[];
  readonly diagnostics: readonly Diagnostic[];
  readonly errors: readonly FileError[];
}

/** `spec.resources`: files that hold tests of their own belong to those, unless they are named one by one. */
async function readResources(
  entries: readonly NamedResources[],
  {
    base,
    own,
    namespace: common,
    cwd,
    watched,
  }: { readonly base: string; readonly own: string; readonly namespace: string } & Pick<Place, "cwd" | "watched">,
): Promise<Others> {
  const documents: (readonly RawDocument[])[] = [];
  const diagnostics: Diagnostic[] = [];
  const errors: FileError[] = [];
  const seen = new Set<string>();
  for (const { path, namespace, values, position } of entries) {
    const absolute = resolve(base, path);
    const placed = { ...(namespace !== undefined && { namespace }), ...(values !== undefined && { values: resolve(base, values) }) };
    const listing = await listWatched({ path: absolute, ...placed }, watched);
    if (listing.outOfSight.length > 0)
      errors.push(fileError(position, `spec.resources: ${path} can't be read`, "paths are relative to this file"));
    // What was passed over is part of what the mesh is missing; what can't be read is said above.
    diagnostics.push(...listing.diagnostics.filter(({ code }) => code !== "KMK0001").map((one) => shownDiagnostic(one, cwd)));
    for (const found of listing.files) {
      const { path: file } = found;
      const key = fileKey({ path: file, namespace: namespace ?? common, ...(found.values !== undefined && { values: found.values }) });
      if (file === own || seen.has(key)) continue;
      seen.add(key);
      const read = await readOnce(found, watched);
      diagnostics.push(...read.diagnostics.map((one) => shownDiagnostic(one, cwd)));
      if (file !== absolute && read.documents.some(isMeshTest)) continue;
      documents.push(read.documents.filter((document) => !isMeshTest(document)).map((document) => shownDocument(document, cwd)));
    }
  }
  return { documents, diagnostics, errors };
}

function declare(documents: readonly RawDocument[], namespace: string): Declared {
  const resources: LocatedResource[] = [];
  const diagnostics: Diagnostic[] = [];
  for (const document of documents) {
    const checked = checkDocument(inNamespace(document, namespace));
    diagnostics.push(...checked.diagnostics);
    const resource = checked.resource ?? checked.fallback;
    if (resource !== undefined) resources.push(resource);
  }
  return { resources, diagnostics };
}

function inNamespace(document: RawDocument, namespace: string): RawDocument {
  const { value } = document;
  if (!isRecord(value) || !isRecord(value["metadata"]) || (value["metadata"]["namespace"] ?? "") !== "") return document;
  return { value: { ...value, metadata: { ...value["metadata"], namespace } }, locate: document.locate };
}

function unusable(file: string, message: string): LoadedFile {
  return { file, tests: [], errors: [fileError({ file, line: 1, column: 1 }, message, "see docs/meshtest.md")] };
}

function toFileError({ message, help, position = { file: "", line: 1, column: 1 } }: Diagnostic): FileError {
  return fileError(position, message, help);
}

function shownDocument({ value, locate }: RawDocument, cwd: string): RawDocument {
  return { value, locate: (path) => shownPosition(locate(path), cwd) };
}

function shownDiagnostic(found: Diagnostic, cwd: string): Diagnostic {
  return found.position === undefined ? found : { ...found, position: shownPosition(found.position, cwd) };
}

function shownPosition(position: SourcePosition, cwd: string): SourcePosition {
  return { ...position, file: shownPath(position.file, cwd) };
}

/** Relative to the current folder where it lies in there. */
export function shownPath(path: string, cwd: string): string {
  const folder = cwd.endsWith("/") ? cwd : `${cwd}/`;
  return path.startsWith(folder) ? path.slice(folder.length) : path;
}
