import { createHash } from "node:crypto";
import type { Diagnostic } from "../model/diagnostic.ts";
import { diagnostic } from "../model/diagnostic.ts";
import type { SourcePosition } from "../model/position.ts";
import type { RawDocument } from "../schema/index.ts";
import { expandDocument } from "./expand.ts";
import type { Source } from "./kustomize/item.ts";
import { copy, type Fields, isFields } from "./kustomize/values.ts";
import { LIMITS } from "./limits.ts";
import { isFault } from "./plain.ts";

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
  /** What it was made of: texts by path. */
  readonly inputs: Inputs;
  /** It failed for a reason that lies outside of the inputs: the same may succeed later on. */
  readonly mayPass?: true;
}

export type Inputs = ReadonlyMap<string, string>;

export function failed(diagnostics: readonly Diagnostic[], mayPass = false): Rendering {
  return { documents: [], diagnostics, text: "", inputs: new Map(), ...(mayPass && { mayPass }) };
}

/**
 * The documents of rendered resources.
 * @param inputs all that they were made of
 * @param namespace of documents that name none; one that names another can't be used
 */
export function toRendering(items: readonly RenderedResource[], inputs: Inputs, namespace?: string): Rendering {
  const documents: RawDocument[] = [];
  for (const { value, source } of items) {
    const expanded = expandDocument({ value, place: source.place }, { text: source.text, positionAt: source.positionAt, namespace });
    if (isFault(expanded))
      return failed([diagnostic(expanded.code, { message: expanded.message, position: source.positionAt(expanded.offset) })]);
    documents.push(...expanded);
  }
  return { documents, diagnostics: [], text: keptText(items, inputs), inputs };
}

interface KeptResource {
  readonly position: SourcePosition;
  readonly value: unknown;
}

function keptText(items: readonly RenderedResource[], inputs: Inputs): string {
  const resources = items.map(({ value, source }): KeptResource => ({ position: source.positionAt(source.place.offset), value }));
  return JSON.stringify({ inputs: Object.fromEntries(keptInputs(inputs)), resources });
}

/** So much as whole texts; of more it is only known whether they are others. */
function keptInputs(inputs: Inputs): Inputs {
  const size = [...inputs.values()].reduce((sum, text) => sum + text.length, 0);
  if (size <= LIMITS.renderedBytes) return inputs;
  return new Map([...inputs].map(([file, text]) => [file, createHash("sha256").update(text).digest("hex")]));
}

/** The documents of an earlier rendering, each at the line where it began; none where the text is no such one. */
export function recallRendering(text: string, namespace?: string): readonly RawDocument[] {
  const { resources } = parseKept(text);
  return resources.flatMap(({ position, value }) => {
    const expanded = expandDocument({ value: copy(value), place: { offset: 0 } }, { text: "", positionAt: () => position, namespace });
    return isFault(expanded) ? [] : expanded;
  });
}

/** What an earlier rendering was made of. */
export function recallInputs(text: string): Inputs {
  const { inputs } = parseKept(text);
  const texts = isFields(inputs) ? Object.entries(inputs) : [];
  return new Map(texts.filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}

function parseKept(text: string): { readonly inputs?: unknown; readonly resources: readonly KeptResource[] } {
  try {
    const kept: unknown = JSON.parse(text);
    return isFields(kept) && Array.isArray(kept["resources"]) ? (kept as { resources: KeptResource[] }) : { resources: [] };
  } catch {
    return { resources: [] };
  }
}
