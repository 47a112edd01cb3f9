import { readdir, realpath, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { diagnostic, type Diagnostic } from "../../model/diagnostic.ts";
import type { JsonPath } from "../../model/position.ts";
import { readFileText } from "../file-text.ts";
import { LIMITS } from "../limits.ts";
import { LineIndex } from "../lines.ts";
import { parseText } from "../parse.ts";
import { findPlace } from "../place.ts";
import { isFault } from "../plain.ts";
import { stampOf } from "../stamp.ts";
import { type Layer, mistaken, remote } from "./layer.ts";
import { isField, KUSTOMIZATION, namedFiles } from "./named-files.ts";
import { isFields, textOf } from "./values.ts";

/** Everything that a kustomization takes in, without the texts. */
export interface Tree {
  /** Its file, as it was found. */
  readonly file: string;
  /** Undefined where it can't be read. */
  readonly root: Layer | undefined;
  /** Kustomizations and components, by folder. */
  readonly layers: ReadonlyMap<string, Layer>;
  /** Files that it names, its bases' included, by path; with the path that links lead to. */
  readonly files: ReadonlyMap<string, string>;
  /** Folders of which nobody can say what is taken from them: their kustomization can't be read. */
  readonly unclear: readonly string[];
  /** All that must be watched. */
  readonly folders: readonly string[];
  readonly stamp: string;
  /** What stands in the way. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Kustomizations of an earlier time, so that only those that changed are read again. */
export type KnownLayers = Map<string, { readonly stamp: string; readonly layer: Layer | Diagnostic }>;

/** Follows what a kustomization names. A base that two layers share is one; one that leads back to itself is an error. */
export async function findTree(file: string, known: KnownLayers): Promise<Tree> {
  const walk: Walk = {
    known,
    layers: new Map(),
    files: new Map(),
    unclear: [],
    folders: new Set(),
    stamps: new Set(),
    diagnostics: [],
    open: new Set(),
    real: new Map(),
  };
  const root = await visitLayer(resolve(file), walk);
  const { layers, files, unclear, folders, stamps, diagnostics } = walk;
  const stamp = [...stamps, ...diagnostics.map(({ message }) => message)].toSorted().join("\n");
  return { file, root, layers, files, unclear, folders: [...folders], stamp, diagnostics };
}

interface Walk {
  readonly known: KnownLayers;
  readonly layers: Map<string, Layer>;
  readonly files: Map<string, string>;
  readonly unclear: string[];
  readonly folders: Set<string>;
  readonly stamps: Set<string>;
  readonly diagnostics: Diagnostic[];
  /** Folders on the way here. */
  readonly open: Set<string>;
  /** Where links lead to, by folder. */
  readonly real: Map<string, Promise<string>>;
}

function realFolder({ folder }: Layer, { real }: Walk): Promise<string> {
  const found = real.get(folder) ?? realpath(folder);
  real.set(folder, found);
  return found;
}

async function visitLayer(file: string, walk: Walk): Promise<Layer | undefined> {
  const folder = dirname(file);
  const layer = await readLayer(file, walk);
  walk.folders.add(folder);
  if ("code" in layer) {
    walk.diagnostics.push(layer);
    walk.unclear.push(folder);
    return undefined;
  }
  walk.layers.set(folder, layer);
  walk.open.add(folder);
  for (const { name, path, isFolderToo } of namedFiles(layer.value)) {
    if (walk.files.size + walk.layers.size > LIMITS.files) {
      walk.diagnostics.push(mistaken(layer, path, `it takes in more than ${LIMITS.files} files`));
      walk.unclear.push(folder);
      break;
    }
    await visitNamed(layer, { name, path, isFolderToo }, walk);
  }
  walk.open.delete(folder);
  return layer;
}

interface Named {
  readonly name: string;
  readonly path: JsonPath;
  readonly isFolderToo: boolean;
}

/** `https://…`, `git@…`, `host/owner/repository?ref=…`: what kustomize would fetch. */
const REMOTE = /^(\w+::|\w+:\/\/|[\w.-]+@[\w.-]+:)|^(github|gitlab|bitbucket)\.\w+[/:]|\?(ref|version|timeout|submodules)=|\/\/.*\?/;

const URL = /^\w+:\/\//;

async function visitNamed(layer: Layer, { name, path, isFolderToo }: Named, walk: Walk): Promise<void> {
  const target = resolve(layer.folder, name);
  const fail = (message: string) => void walk.diagnostics.push(mistaken(layer, path, message));
  // kustomize asks the network for it even where a file on this machine has the same name.
  if (URL.test(name)) return void walk.diagnostics.push(remote(layer, path, name));
  try {
    const found = await stat(target);
    if (found.isFile()) {
      const real = await realpath(target);
      const own = await realFolder(layer, walk);
      if (!real.startsWith(own.endsWith("/") ? own : `${own}/`)) fail(`${name} is not below the kustomization's folder`);
      walk.files.set(target, real);
      walk.folders.add(dirname(target));
      walk.stamps.add(`${target} ${stampOf(found)}`);
    } else if (!found.isDirectory() || !isFolderToo) fail(`${name} is no file`);
    else await visitBase(layer, { target, name, path }, walk);
  } catch (error) {
    if (REMOTE.test(name)) return void walk.diagnostics.push(remote(layer, path, name));
    walk.folders.add(dirname(target));
    fail((error as NodeJS.ErrnoException).code === "ENOENT" ? `${name} does not exist` : `${name} can't be read`);
  }
}

async function visitBase(
  layer: Layer,
  { target, name, path }: { target: string; name: string; path: JsonPath },
  walk: Walk,
): Promise<void> {
  const fail = (message: string) => void walk.diagnostics.push(mistaken(layer, path, message));
  walk.folders.add(target);
  // kustomize counts from where links lead to.
  const own = await realFolder(layer, walk);
  if ((await realpath(target)) !== (await realpath(resolve(own, name))))
    return fail(`${name} leads elsewhere, since ${layer.folder} is a link to ${own}: name that folder itself`);
  if (walk.open.has(target)) return fail(`${name} leads back to itself`);
  if (walk.open.size > LIMITS.folderDepth) return fail(`bases stand on each other more than ${LIMITS.folderDepth} levels deep`);
  const names = (await readdir(target)).filter((entry) => KUSTOMIZATION.test(entry));
  const [first] = names;
  if (first === undefined) return fail(`${name} has no kustomization.yaml`);
  if (names.length > 1) return fail(`${name} has several kustomizations: ${names.join(", ")}`);
  const base = walk.layers.get(target) ?? (await visitLayer(join(target, first), walk));
  const isComponent = isField(path[0], "components");
  if (base !== undefined && base.isComponent !== isComponent)
    fail(isComponent ? `${name} is no component` : `${name} is a component: name it under components`);
}

async function readLayer(file: string, { known, stamps }: Walk): Promise<Layer | Diagnostic> {
  const found = await stat(file).then(stampOf, () => "");
  stamps.add(`${file} ${found}`);
  const before = known.get(file);
  if (before?.stamp === found) return before.layer;
  const layer = await parseLayer(file);
  // The machine may have been short of something.
  if (!("code" in layer) || layer.code !== "KMK0001") known.set(file, { stamp: found, layer });
  return layer;
}

async function parseLayer(file: string): Promise<Layer | Diagnostic> {
  const text = await readFileText(file);
  if (typeof text !== "string") return text;
  const lines = new LineIndex(text);
  const positionAt = (offset: number) => ({ file, ...lines.at(offset) });
  const wrong = (message: string, offset: number) =>
    diagnostic("KMK0007", { message, help: "see https://kubectl.docs.kubernetes.io/references/kustomize", position: positionAt(offset) });
  const parsed = parseText(text);
  if (isFault(parsed))
    return diagnostic(parsed.code, { message: `the kustomization can't be read: ${parsed.message}`, position: positionAt(parsed.offset) });
  const [document, second] = parsed;
  if (second !== undefined) return wrong("a kustomization is one document, and the file holds several", second.place.offset);
  const { value, place } = document ?? { value: {}, place: { offset: 0 } };
  if (!isFields(value)) return wrong("a kustomization is a map", place.offset);
  const said = Object.keys(value).filter((key) => !["apiVersion", "kind", "metadata"].some((name) => isField(key, name)));
  // Its writer may not have begun: what it took in must not be read as it is.
  if (said.length === 0) return wrong("the kustomization is empty", place.offset);
  const kind = textOf(value["kind"]);
  if (!["", "Kustomization", "Component"].includes(kind))
    return wrong(`a kustomization's kind is not ${kind}`, findPlace(place, ["kind"]).offset);
  const locate = (path: JsonPath) => positionAt(findPlace(place, path).offset);
  return { file, folder: dirname(file), isComponent: kind === "Component", value, source: { file, text, place, positionAt }, locate };
}
