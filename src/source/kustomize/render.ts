import { diagnostic, type Diagnostic } from "../../model/diagnostic.ts";
import { readFileText } from "../file-text.ts";
import { failed, type Rendering, toRendering } from "../rendering.ts";
import { build } from "./build.ts";
import { renderOutside } from "./outside.ts";
import type { Tree } from "./tree.ts";

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
  if (found.length > 0) return failed(found, outside?.mayPass);
  return toRendering(items, textsOf(inputs), namespace);
}

function isComponent(file: string): Diagnostic {
  const message = "a component changes what a kustomization takes in, and is none by itself";
  return diagnostic("KMK0007", {
    message,
    help: "name the kustomization that has it under components",
    position: { file, line: 1, column: 1 },
  });
}

function textsOf({ layers, texts }: Parameters<typeof build>[0]): ReadonlyMap<string, string> {
  return new Map([
    ...[...layers.values()].map(({ file, source }) => [file, source.text] as const),
    ...[...texts].map(([file, text]) => [file, typeof text === "string" ? text : text.message] as const),
  ]);
}
