import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import { commandLine } from "../base/shell.ts";
import { diagnostic, type Diagnostic } from "../model/diagnostic.ts";
import { readFileText } from "./file-text.ts";
import { expandLists } from "./kustomize/expand-lists.ts";
import { copy, fieldsOf, isFields, textOf } from "./kustomize/values.ts";
import { LIMITS } from "./limits.ts";
import { LineIndex } from "./lines.ts";
import { parseText } from "./parse.ts";
import { isFault } from "./plain.ts";
import { failed, type RenderedResource, type Rendering, toRendering } from "./rendering.ts";
import { findProgram, quoted, runProgram } from "./run-program.ts";
import { stampOf } from "./stamp.ts";

export const CHART = "Chart.yaml";

/** A Helm chart that a path names. */
export interface Chart {
  readonly folder: string;
  /** Values that go before the chart's own. */
  readonly values?: string;
  /** All that must be watched. */
  readonly folders: readonly string[];
  /** Those that are helm's, and nothing by themselves. */
  readonly files: readonly string[];
  readonly stamp: string;
}

/** The chart that a folder is; undefined where it is none. */
export async function findChart(folder: string, values?: string, searchPath = process.env["PATH"] ?? ""): Promise<Chart | undefined> {
  const found = await stat(join(folder, CHART)).catch(() => undefined);
  if (found?.isFile() !== true) return undefined;
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const all = [...files.slice(0, LIMITS.files), ...(values === undefined ? [] : [values])].toSorted();
  const stamps = await Promise.all(all.map(async (file) => `${file} ${await stat(file).then(stampOf, () => "")}`));
  const own = { folder, ...(values !== undefined && { values }) };
  return {
    ...own,
    folders: [...new Set([folder, ...all.map((file) => dirname(file))])],
    files: all.map((file) => resolve(file)).filter((file) => isOfChart(own, file)),
    stamp: [await findProgram(["helm"], searchPath), ...stamps].join("\n"),
  };
}

/** Whether helm takes a file for itself: it is no resource. */
export function isOfChart({ folder, values }: Pick<Chart, "folder" | "values">, file: string): boolean {
  const top = resolve(folder);
  const parts = file.startsWith(`${top}${sep}`) ? file.slice(top.length + 1).split(sep) : [];
  const [first = ""] = parts;
  return (
    (values !== undefined && file === resolve(values)) ||
    ["templates", "charts", "crds"].includes(first) ||
    (parts.length === 1 && /^(Chart|values.*)\.(ya?ml|json)$/.test(first))
  );
}

/**
 * What `helm template` prints: the release is called as the folder, and what names no namespace is in that of the path. Tests of the chart are left
 * out. Positions are the templates', at the line of the kind where only one is that. Never throws, whatever the chart holds.
 */
export async function renderChart(chart: Chart, namespace: string | undefined, searchPath = process.env["PATH"] ?? ""): Promise<Rendering> {
  const { folder, values, files } = chart;
  const given = [
    ...(values === undefined ? [] : [`--values=${oneOfList(values)}`]),
    ...(namespace === undefined ? [] : [`--namespace=${namespace}`]),
  ];
  // Folders may be called anything: what follows the dashes is no option.
  const words = ["template", ...given, "--skip-tests", "--", releaseOf(folder), resolve(folder)];
  const command = commandLine(["helm", "template", ...given, "--", releaseOf(folder), folder]);
  const program = await findProgram(["helm"], searchPath);
  if (program === undefined)
    return failed([
      couldNot(chart, "helm, which renders a chart, is not installed", `install it, or read what it makes: ${command} > FILE.yaml`),
    ]);
  const ran = await runProgram(program, words, resolve(folder));
  if ("failure" in ran)
    return failed([couldNot(chart, `helm can't render it: ${quoted(ran.failure)}`, `see for yourself: ${command}`)], ran.mayPass);
  const inputs = new Map<string, string>();
  for (const file of files) inputs.set(file, textOrReason(await readFileText(file)));
  const items: RenderedResource[] = [];
  for (const { template, text } of splitByTemplate(ran.output)) {
    const parsed = parseText(text);
    if (isFault(parsed))
      return failed([couldNot(chart, `what ${template} makes can't be read: ${parsed.message}`, `look at it: ${command}`)]);
    for (const { value } of parsed.flatMap(expandLists)) {
      if (!isFields(value)) return failed([couldNot(chart, `what ${template} makes is no resource`, `look at it: ${command}`)]);
      items.push(place(chart, { value: copy(value), template, namespace }, inputs));
    }
  }
  return toRendering(items, inputs);
}

/** helm takes a list, whose items stand in quotes where they have commas (RFC 4180). */
function oneOfList(path: string): string {
  return /[",\r\n]/.test(path) ? `"${path.replaceAll('"', '""')}"` : path;
}

function textOrReason(text: string | Diagnostic): string {
  return typeof text === "string" ? text : text.message;
}

function couldNot({ folder }: Chart, message: string, help: string): Diagnostic {
  return diagnostic("KMK0007", { message, help, position: { file: join(folder, CHART), line: 1, column: 1 } });
}

/** A name that helm takes, whatever the folder's is. */
function releaseOf(folder: string): string {
  const name = basename(resolve(folder))
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, "-")
    .slice(0, 53)
    .replaceAll(/^-+|-+$/g, "");
  return name === "" ? "release" : name;
}

const SOURCE = /^# Source: (.+)$/m;

/** helm says before each document out of which template it is. */
function splitByTemplate(output: string): readonly { readonly template: string; readonly text: string }[] {
  return output.split(/^---$/m).map((text) => ({ template: SOURCE.exec(text)?.[1] ?? "", text }));
}

interface Made {
  readonly value: RenderedResource["value"];
  /** `CHART/templates/…`, with `charts/NAME` between for a chart in the chart. */
  readonly template: string;
  readonly namespace: string | undefined;
}

function place({ folder }: Chart, { value, template, namespace }: Made, inputs: ReadonlyMap<string, string>): RenderedResource {
  const metadata = fieldsOf(value, "metadata");
  if (namespace !== undefined && textOf(metadata["namespace"]) === "") metadata["namespace"] = namespace;
  const file = join(folder, ...template.split("/").slice(1));
  // The word is the chart's, too: another file than one of its own is none of its templates.
  const text = inputs.get(resolve(file));
  if (text === undefined) return { value, source: sourceAt(join(folder, CHART), "", 0) };
  const kinds = [...text.matchAll(/^kind:\s*(\S+)/gm)].filter(([, kind]) => kind === value["kind"]);
  return { value, source: sourceAt(file, text, kinds.length === 1 ? (kinds[0]?.index ?? 0) : 0) };
}

function sourceAt(file: string, text: string, offset: number): RenderedResource["source"] {
  const lines = new LineIndex(text);
  return { file, text, place: { offset }, positionAt: (at) => ({ file, ...lines.at(at) }) };
}
