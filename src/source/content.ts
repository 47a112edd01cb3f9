import type { Diagnostic } from "../model/diagnostic.ts";
import type { RawDocument } from "../schema/index.ts";
import { findCutOff } from "./cut-off.ts";
import { readFileText } from "./file-text.ts";
import { isKustomization } from "./kustomize/named-files.ts";
import { recallRendering, render } from "./kustomize/rendered.ts";
import type { FileName, FoundFile } from "./list-files.ts";
import { readText } from "./read-text.ts";

/** What a file holds now. */
export interface Content {
  /** Undefined where there is none. */
  readonly text: string | undefined;
  readonly documents: readonly RawDocument[];
  /** Not empty: it can't be used. */
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Reads a file, or renders the kustomization that it is. Never throws, whatever it holds.
 * @param goodText as it was when it last could be used, of which it may be the beginning
 */
export async function readContent({ path, namespace, tree }: FoundFile, goodText = ""): Promise<Content> {
  if (tree !== undefined) {
    const { documents, diagnostics, text } = await render(tree, { namespace });
    return { documents, diagnostics, text: diagnostics.length > 0 ? undefined : text };
  }
  const text = await readFileText(path);
  if (typeof text !== "string") return { text: undefined, documents: [], diagnostics: [text] };
  const cutOff = findCutOff(text, goodText, path);
  return { text, ...(cutOff === undefined ? readText(text, path, namespace) : { documents: [], diagnostics: [cutOff] }) };
}

/** The documents of a last good text. */
export function recallContent(text: string, { path, namespace }: FileName): readonly RawDocument[] {
  return isKustomization(path) ? recallRendering(text, namespace) : readText(text, path, namespace).documents;
}
