import { diagnostic, type Diagnostic } from "../model/diagnostic.ts";
import type { SourcePosition } from "../model/position.ts";
import type { RawDocument } from "../schema/index.ts";
import { expandDocument } from "./expand.ts";
import { LineIndex } from "./lines.ts";
import { parseText } from "./parse.ts";
import { type Fault, isFault } from "./plain.ts";

export interface ReadText {
  readonly documents: readonly RawDocument[];
  /** Not empty: the text can't be used, and `documents` is empty. */
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Reads YAML 1.2 (core schema) or JSON, which is YAML too: every document with the line and column of each node; `List` kinds as what they
 * list, and MeshConfig out of its ConfigMap. Never throws, whatever the text holds, and its time grows with the text's length only.
 */
export function readText(text: string, file: string): ReadText {
  const lines = new LineIndex(text);
  const positionAt = (offset: number): SourcePosition => ({ file, ...lines.at(offset) });
  const documents = readDocuments(text, positionAt);
  if (!isFault(documents)) return { documents, diagnostics: [] };
  const { code, message, help, offset } = documents;
  return { documents: [], diagnostics: [diagnostic(code, { message, ...(help !== undefined && { help }), position: positionAt(offset) })] };
}

function readDocuments(text: string, positionAt: (offset: number) => SourcePosition): readonly RawDocument[] | Fault {
  const parsed = parseText(text);
  if (isFault(parsed)) return parsed;
  const documents: RawDocument[] = [];
  for (const plain of parsed) {
    const expanded = expandDocument(plain, { text, positionAt });
    if (isFault(expanded)) return expanded;
    documents.push(...expanded);
  }
  return documents;
}
