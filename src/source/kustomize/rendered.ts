import { createHash } from "node:crypto";
import { diagnostic, type Diagnostic } from "../../model/diagnostic.ts";
import type { SourcePosition } from "../../model/position.ts";
import type { RawDocument } from "../../schema/index.ts";
import { expandDocument } from "../expand.ts";
import { readFileText } from "../file-text.ts";
import { isFault } from "../plain.ts";
import { build } from "./build.ts";
import type { Source } from "./item.ts";
import { renderOutside } from "./outside.ts";
import type { Tree } from "./tree.ts";
import { copy, type Fields, isFields } from "./values.ts";

/** A resource as it was rendered, and where it was written. */
export interface RenderedResource {
  readonly value: Fields;
  readonly source: Source;
}

export interface Rendering {
  readonly documents: readonly RawDocument[];
  /** Not empty: there is no rendering, and `documents` is empty. */
  readonly diagnostics: readonly Diagnostic[];
  /** What `recallRendering` makes documents of again; another one where any input is. */
  readonly text: string;
}

export interface RenderOptions {
  /** Of documents that name none. */
  readonly namespace?: string | undefined;
  /** Where programs are looked for, as `PATH` says it. */
  readonly searchPath?: string | undefined;
}

/** Renders a kustomization: by kustomize where it is installed, else by what is built in. Never throws, whatever the files hold. */
export async function render(tree: Tree, { namespace, searchPath = process.env["PATH"] ?? "" }: RenderOptions = {}): Promise<Rendering> {
  const { root, diagnostics } = tree;
  if (diagnostics.length > 0 || root === undefined) return failed(diagnostics);
  if (root.isComponent) return failed([isComponent(tree.file)]);
  const texts = new Map<string, string | Diagnostic>();
  for (const file of tree.files.keys()) texts.set(file, await readFileText(file));
  const inputs = { root, layers: tree.layers, texts };
  const outside = await renderOutside(tree, texts, searchPath);
  const { items, diagnostics: found } = outside ?? build(inputs);
  if (found.length > 0) return failed(found);
  const documents: RawDocument[] = [];
  for (const { value, source } of items) {
    const expanded = expandDocument({ value, place: source.place }, { text: source.text, positionAt: source.positionAt, namespace });
    if (isFault(expanded))
      return failed([diagnostic(expanded.code, { message: expanded.message, position: source.positionAt(expanded.offset) })]);
    documents.push(...expanded);
  }
  return { documents, diagnostics: [], text: keptText(items, digestOf(inputs)) };
}

function failed(diagnostics: readonly Diagnostic[]): Rendering {
  return { documents: [], diagnostics, text: "" };
}

function isComponent(file: string): Diagnostic {
  const message = "a component changes what a kustomization takes in, and is none by itself";
  return diagnostic("KMK0007", {
    message,
    help: "name the kustomization that has it under components",
    position: { file, line: 1, column: 1 },
  });
}

function digestOf({ layers, texts }: Parameters<typeof build>[0]): string {
  const hash = createHash("sha256");
  for (const { file, source } of layers.values()) hash.update(`${file}\0${source.text}\0`);
  for (const [file, text] of texts) hash.update(`${file}\0${typeof text === "string" ? text : text.message}\0`);
  return hash.digest("hex");
}

interface KeptResource {
  readonly position: SourcePosition;
  readonly value: unknown;
}

function keptText(items: readonly RenderedResource[], inputs: string): string {
  const resources = items.map(({ value, source }): KeptResource => ({ position: source.positionAt(source.place.offset), value }));
  return JSON.stringify({ inputs, resources });
}

/** The documents of an earlier rendering, each at the line where it began; none where the text is no such one. */
export function recallRendering(text: string, namespace?: string): readonly RawDocument[] {
  const { resources } = parseKept(text);
  return resources.flatMap(({ position, value }) => {
    const expanded = expandDocument({ value: copy(value), place: { offset: 0 } }, { text: "", positionAt: () => position, namespace });
    return isFault(expanded) ? [] : expanded;
  });
}

function parseKept(text: string): { readonly resources: readonly KeptResource[] } {
  try {
    const kept: unknown = JSON.parse(text);
    return isFields(kept) && Array.isArray(kept["resources"]) ? (kept as { resources: KeptResource[] }) : { resources: [] };
  } catch {
    return { resources: [] };
  }
}
