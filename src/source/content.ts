import type { Diagnostic } from "../model/diagnostic.ts";
import type { RawDocument } from "../schema/index.ts";
import { basename } from "node:path";
import { findCutOff, mayGoOn } from "./cut-off.ts";
import { readFileText } from "./file-text.ts";
import { CHART } from "./helm.ts";
import { isKustomization } from "./kustomize/named-files.ts";
import type { FileName, FoundFile } from "./list-files.ts";
import { readText } from "./read-text.ts";
import { recallInputs, recallRendering } from "./rendering.ts";

/** What a file holds now. */
export interface Content {
  /** Undefined where there is none. */
  readonly text: string | undefined;
  readonly documents: readonly RawDocument[];
  /** Not empty: it can't be used. */
  readonly diagnostics: readonly Diagnostic[];
  /** A writer may still be at work, on it or on one of those that it is made of. */
  readonly mayGoOn: boolean;
  /** Files that belong to it and are nothing by themselves. */
  readonly takes: ReadonlySet<string>;
  /** Reading it again may succeed although nothing has changed. */
  readonly mayPass: boolean;
}

/**
 * Reads a file, or renders what it stands for. Never throws, whatever it holds.
 * @param goodText as it was when it last could be used, of which it may be the beginning
 */
export async function readContent({ path, namespace, render }: FoundFile, goodText = ""): Promise<Content> {
  if (render !== undefined) return await readRendering(render, goodText);
  const text = await readFileText(path);
  const plain = { takes: NOTHING, mayPass: false };
  // The file may be as it is and the machine short of something.
  if (typeof text !== "string")
    return { ...plain, text: undefined, documents: [], diagnostics: [text], mayGoOn: false, mayPass: text.code === "KMK0001" };
  const cutOff = findCutOff(text, goodText, path);
  const read = cutOff === undefined ? readText(text, path, namespace) : { documents: [], diagnostics: [cutOff] };
  return { ...plain, text, ...read, mayGoOn: mayGoOn(text, goodText) };
}

const NOTHING: ReadonlySet<string> = new Set();

/** One of the files that it is made of may be cut off and still say something: less than it is to say. */
async function readRendering(render: NonNullable<FoundFile["render"]>, goodText: string): Promise<Content> {
  const { documents, diagnostics, text, inputs, mayPass = false } = await render();
  const takes = new Set(inputs.keys());
  if (diagnostics.length > 0) {
    const isUnread = diagnostics.some(({ code }) => code === "KMK0001");
    return { text: undefined, documents, diagnostics, mayGoOn: false, takes, mayPass: mayPass || isUnread };
  }
  const before = recallInputs(goodText);
  const changed = [...inputs].flatMap(([file, now]) => {
    const former = before.get(file);
    return former === undefined || former === now ? [] : [{ file, now, former }];
  });
  const cutOff = changed.map(({ file, now, former }) => findCutOff(now, former, file)).filter((found) => found !== undefined);
  if (cutOff.length > 0) return { text: undefined, documents: [], diagnostics: cutOff, mayGoOn: false, takes, mayPass };
  return { text, documents, diagnostics, mayGoOn: changed.some(({ now, former }) => mayGoOn(now, former)), takes, mayPass };
}

/** The documents of a last good text. */
export function recallContent(text: string, { path, namespace }: FileName): readonly RawDocument[] {
  // What a chart makes may name namespaces of its own.
  if (basename(path) === CHART) return recallRendering(text);
  return isKustomization(path) ? recallRendering(text, namespace) : readText(text, path, namespace).documents;
}

/** The files that belonged to it. */
export function recallTakes(text: string, { path }: FileName): ReadonlySet<string> {
  return basename(path) === CHART || isKustomization(path) ? new Set(recallInputs(text).keys()) : NOTHING;
}
