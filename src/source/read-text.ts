import { quote } from "../base/shell.ts";
import { diagnostic, type Diagnostic } from "../model/diagnostic.ts";
import type { SourcePosition } from "../model/position.ts";
import type { RawDocument } from "../schema/index.ts";
import { expandDocument, type Surroundings } from "./expand.ts";
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
 * @param namespace of documents that name none; a text in which one names another can't be used
 */
export function readText(text: string, file: string, namespace?: string): ReadText {
  const lines = new LineIndex(text);
  const positionAt = (offset: number): SourcePosition => ({ file, ...lines.at(offset) });
  const documents = readDocuments({ text, positionAt, namespace });
  if (!isFault(documents)) return { documents, diagnostics: [] };
  const { code, message, help, offset } = templateFault(text, file, documents) ?? documents;
  return { documents: [], diagnostics: [diagnostic(code, { message, ...(help !== undefined && { help }), position: positionAt(offset) })] };
}

/** An action of Go's templates as charts have them, which YAML takes for a map in a map. */
const ACTION = /\{\{-?\s*(\/\*|[.$"(]|(if|else|end|range|with|define|block|include|template|tpl|toYaml|default|printf|quote)\b)/;

/** What isn't YAML because it is a Helm template is told so, in place of the parser's words. */
function templateFault(text: string, file: string, { code }: Fault): Fault | undefined {
  const offset = code === "KMK0002" ? text.search(ACTION) : -1;
  if (offset === -1) return undefined;
  const folder = /^(.+)\/templates\//.exec(file)?.[1];
  const help = `read what it makes: helm template ${folder === undefined ? "CHART" : quote(folder)} > FILE.yaml`;
  return { code, message: "a Helm template, which is no YAML before it is rendered", help, offset };
}

function readDocuments(surroundings: Surroundings): readonly RawDocument[] | Fault {
  const parsed = parseText(surroundings.text);
  if (isFault(parsed)) return parsed;
  const documents: RawDocument[] = [];
  for (const plain of parsed) {
    const expanded = expandDocument(plain, surroundings);
    if (isFault(expanded)) return expanded;
    documents.push(...expanded);
  }
  return documents;
}
