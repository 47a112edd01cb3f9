import type { Diagnostic } from "../model/diagnostic.ts";
import type { RawDocument } from "../schema/index.ts";
import { basename } from "node:path";
import { findCutOff } from "./cut-off.ts";
import { readFileText } from "./file-text.ts";
import { CHART } from "./helm.ts";
import { isKustomization } from "./kustomize/named-files.ts";
import type { FileName, FoundFile } from "./list-files.ts";
import { readText } from "./read-text.ts";
import { recallRendering } from "./rendering.ts";

/** What a file holds now. */
export interface Content {
  /** Undefined where there is none. */
  readonly text: string | undefined;
  readonly documents: readonly RawDocument[];
  /** Not empty: it can't be used. */
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Reads a file, or renders what it stands for. Never throws, whatever it holds.
 * @param goodText as it was when it last could be used, of which it may be the beginning
 */
export async function readContent({ path, namespace, render }: FoundFile, goodText = ""): Promise<Content> {
  if (render !== undefined) {
    const { documents, diagnostics, text } = await render();
    return { documents, diagnostics, text: diagnostics.length > 0 ? undefined : text };
  }
  const text = await readFileText(path);
  if (typeof text !== "string") return { text: undefined, documents: [], diagnostics: [text] };
  const cutOff = findCutOff(text, goodText, path);
  return { text, ...(cutOff === undefined ? readText(text, path, namespace) : { documents: [], diagnostics: [cutOff] }) };
}

/** The documents of a last good text. */
export function recallContent(text: string, { path, namespace }: FileName): readonly RawDocument[] {
  // What a chart makes may name namespaces of its own.
  if (basename(path) === CHART) return recallRendering(text);
  return isKustomization(path) ? recallRendering(text, namespace) : readText(text, path, namespace).documents;
}
