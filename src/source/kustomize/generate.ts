import { createHash } from "node:crypto";
import { basename } from "node:path";
import type { JsonPath } from "../../model/position.ts";
import { findPlace } from "../place.ts";
import { formatId, idOf, idsOf, inDefault, type Item, metadataOf, newItem } from "./item.ts";
import { beyond, mistaken } from "./layer.ts";
import type { Patching } from "./patches.ts";
import { type Fields, fieldsOf, isFields, listOf, sizeOf, textOf, textsOf, toFields } from "./values.ts";

const KEY = /^[-._a-zA-Z0-9]+$/;

/** `configMapGenerator` and `secretGenerator`: adds what they make, or merges it into what is there. */
export function generate(patching: Patching): void {
  for (const field of ["configMapGenerator", "secretGenerator"] as const)
    for (const [i, entry] of listOf(patching.layer.value[field]).entries()) {
      const path: JsonPath = [field, i];
      const made = isFields(entry) ? make(patching, entry, path) : undefined;
      if (made !== undefined) absorb(patching, made, { behavior: textOf((entry as Fields)["behavior"]), path });
    }
}

function make(patching: Patching, entry: Fields, path: JsonPath): Item | undefined {
  const { layer, refuse } = patching;
  const options = optionsOf(patching, entry);
  const pairs = pairsOf(patching, entry, path);
  if (pairs === undefined) return undefined;
  const known = new Set<string>();
  const wrong = pairs.find(([key]) => !KEY.test(key) || known.size === known.add(key).size);
  if (wrong !== undefined) return void refuse(mistaken(layer, path, `the key ${JSON.stringify(wrong[0])} is wrong or occurs twice`));
  const isSecret = path[0] === "secretGenerator";
  const metadata = toFields([["name", entry["name"]]]);
  if (textOf(entry["namespace"]) !== "") metadata["namespace"] = entry["namespace"];
  for (const key of ["labels", "annotations"] as const) if (options[key].length > 0) metadata[key] = toFields(options[key]);
  const data = pairs.map(([key, text]) => [key, isSecret ? Buffer.from(text).toString("base64") : text] as const);
  const value = toFields([
    ["apiVersion", "v1"],
    ["kind", isSecret ? "Secret" : "ConfigMap"],
    ["metadata", metadata],
    ...(isSecret ? [["type", textOf(entry["type"]) || "Opaque"] as const] : []),
    ...(data.length > 0 ? [["data", toFields(data)] as const] : []),
    ...(options.isImmutable ? [["immutable", true] as const] : []),
  ]);
  patching.charge(sizeOf(value));
  // What is in it has no place of its own: the generator's entry stands for all.
  const { offset } = findPlace(layer.source.place, path);
  return newItem(value, { ...layer.source, place: { offset } }, options.hasHash);
}

interface Options {
  readonly labels: readonly (readonly [string, string])[];
  readonly annotations: readonly (readonly [string, string])[];
  readonly hasHash: boolean;
  readonly isImmutable: boolean;
}

function optionsOf({ layer }: Patching, entry: Fields): Options {
  const common = isFields(layer.value["generatorOptions"]) ? layer.value["generatorOptions"] : {};
  const own = isFields(entry["options"]) ? entry["options"] : {};
  const both = (key: string) => [common, own].some((options) => options[key] === true);
  const texts = (key: string) => [...new Map([...textsOf(common[key]), ...textsOf(own[key])])];
  return {
    labels: texts("labels"),
    annotations: texts("annotations"),
    hasHash: !both("disableNameSuffixHash"),
    isImmutable: both("immutable"),
  };
}

type Pairs = readonly (readonly [key: string, text: string])[];

/** In kustomize's order: files of variables, literals, files. */
function pairsOf(patching: Patching, entry: Fields, path: JsonPath): Pairs | undefined {
  const { layer, refuse, read } = patching;
  const pairs: (readonly [string, string])[] = [];
  const wrong = (what: string) => refuse(mistaken(layer, path, what));
  for (const name of [...listOf(entry["envs"]), ...(entry["env"] === undefined ? [] : [entry["env"]])]) {
    const text = read(textOf(name));
    if (text === undefined) return undefined;
    for (const line of text
      .replace(/^\uFEFF/, "")
      .split(/\r?\n/)
      .map((one) => one.trimStart())
      .filter((one) => one !== "" && !one.startsWith("#"))) {
      // Without a value it is that of kustomize's own environment, which differs from one place to another.
      const [key = "", ...rest] = line.split("=");
      if (rest.length === 0) return void refuse(beyond(layer, path, `the variable ${key} without a value in ${textOf(name)}`));
      pairs.push([key, rest.join("=")]);
    }
  }
  for (const literal of listOf(entry["literals"])) {
    const at = textOf(literal).indexOf("=");
    if (at < 1) return void wrong(`the literal ${JSON.stringify(literal)} is no KEY=VALUE`);
    pairs.push([textOf(literal).slice(0, at), unquoted(textOf(literal).slice(at + 1))]);
  }
  for (const file of listOf(entry["files"])) {
    const [key, name] = fileSource(textOf(file));
    const text = read(name);
    if (text === undefined) return undefined;
    pairs.push([key, text]);
  }
  return pairs;
}

/** `KEY=FILE`, or a file whose name is the key. */
export function fileSource(source: string): readonly [key: string, file: string] {
  const at = source.indexOf("=");
  return at === -1 ? [basename(source), source] : [source.slice(0, at), source.slice(at + 1)];
}

function unquoted(text: string): string {
  const [first] = text;
  return text.length > 1 && (first === '"' || first === "'") && text.endsWith(first) ? text.slice(1, -1) : text;
}

function absorb(
  { layer, items, refuse }: Patching,
  made: Item,
  { behavior, path }: { readonly behavior: string; readonly path: JsonPath },
): void {
  const id = idOf(made.value);
  if (id.name === "") return refuse(mistaken(layer, path, "a generator has no name"));
  const isIt = (item: Item) =>
    idsOf(item).some(
      (one) => one.kind === id.kind && one.group === "" && one.name === id.name && inDefault(one.namespace) === inDefault(id.namespace),
    );
  const found = items.filter(isIt);
  const [before] = found;
  if (behavior === "" || behavior === "create" || behavior === "unspecified") {
    if (before === undefined) items.push(made);
    else refuse(mistaken(layer, path, `${formatId(id)} is there already: its behavior is to be merge or replace`));
    return;
  }
  if (behavior !== "merge" && behavior !== "replace") return refuse(mistaken(layer, path, `${JSON.stringify(behavior)} is no behavior`));
  if (before === undefined || found.length > 1)
    return refuse(mistaken(layer, path, `${behavior} needs one ${formatId(id)}, and there are ${found.length}`));
  combine(before, made, behavior === "merge");
}

/** Its name, labels and annotations go on; with `isMerged` what it holds, too. */
function combine(before: Item, made: Item, isMerged: boolean): void {
  const metadata = metadataOf(made);
  const old = metadataOf(before);
  for (const key of ["labels", "annotations"] as const) {
    const texts = [...new Map([...textsOf(old[key]), ...textsOf(metadata[key])])];
    if (texts.length > 0) metadata[key] = toFields(texts);
  }
  metadata["name"] = old["name"];
  if (old["namespace"] !== undefined) metadata["namespace"] = old["namespace"];
  for (const key of ["data", "binaryData"])
    if (isMerged && isFields(before.value[key]))
      made.value[key] = toFields([...Object.entries(before.value[key]), ...Object.entries(fieldsOf(made.value, key))]);
  before.value = made.value;
  if (!isMerged) before.source = made.source;
  before.hasHash &&= made.hasHash;
}

/** The suffix that kustomize gives to a name, out of what is in the ConfigMap or Secret. */
export function hashSuffix(value: Fields): string {
  const { kind } = idOf(value);
  // kustomize looks for the name where it never is.
  const hashed: Fields = { kind, name: "", data: isFields(value["data"]) ? value["data"] : "" };
  if (kind === "Secret") hashed["type"] = textOf(value["type"]);
  const more = kind === "Secret" ? "stringData" : "binaryData";
  if (isFields(value[more])) hashed[more] = value[more];
  const hex = createHash("sha256").update(toGoJson(hashed)).digest("hex").slice(0, 10);
  // No vowels, and nothing that looks like one.
  const safe: Readonly<Record<string, string>> = { "0": "g", "1": "h", "3": "k", a: "m", e: "t" };
  return hex.replace(/[013ae]/g, (digit) => safe[digit] ?? digit);
}

/** As Go writes it: sorted keys, and characters with a meaning in HTML escaped. */
function toGoJson(value: unknown): string {
  if (isFields(value)) {
    const keys = Object.keys(value).toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
    return `{${keys.map((key) => `${goText(key)}:${toGoJson(value[key])}`).join(",")}}`;
  }
  if (Array.isArray(value)) return `[${value.map(toGoJson).join(",")}]`;
  return typeof value === "string" ? goText(value) : JSON.stringify(value);
}

function goText(text: string): string {
  return JSON.stringify(text).replace(/[<>&\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
