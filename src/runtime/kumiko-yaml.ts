import { isMap, isScalar, LineCounter, type Node, parseDocument } from "yaml";
import { didYouMean } from "../base/index.ts";
import { type Diagnostic, diagnostic, type DiagnosticCode } from "../model/diagnostic.ts";
import type { ResourcePath } from "../model/resource-path.ts";
import { formatPath, type JsonPath, type SourcePosition } from "../model/position.ts";
import { isDnsLabel } from "../schema/names.ts";
import { expandInCommand, expandVariables, type Variables } from "./variables.ts";

/** How an image is run where there are no containers. */
export interface ImageCommand {
  /** Takes the place of the image's entry point. */
  readonly command: readonly string[];
  /** Takes the place of the image's default arguments. */
  readonly args: readonly string[];
  /** Relative to the folder of `kumiko.yaml`. */
  readonly workingDir: string;
  readonly env: Readonly<Record<string, string>>;
  /**
   * Variables that tell the program which ports to listen on, by name or number of the declared port; one variable alone is for the first.
   * Used where replicas share one address.
   */
  readonly portEnv: string | Readonly<Record<string, string>> | undefined;
  /** Files and folders of this machine that the program finds under the same paths, read-only; relative to the folder of `kumiko.yaml`. */
  readonly mounts?: readonly string[];
  /** What the programs of the image's own file system are here, by the path with which a container's `command` names them. */
  readonly programs?: Readonly<Record<string, readonly string[]>>;
}

/** A program outside of the mesh (a database, an identity provider) that `kumiko up` starts on the host. */
export interface OutsideProgram {
  readonly command: readonly [string, ...string[]];
  readonly workingDir: string;
  readonly env: Readonly<Record<string, string>>;
  /** `tcp:HOST:PORT`, or an http(s) URL that answers below 400; none: it counts as ready when started. */
  readonly ready: string | undefined;
  readonly readyTimeoutMs: number;
}

export interface PublishedPort {
  readonly namespace: string;
  readonly deployment: string;
  /** Port on which the gateway listens. */
  readonly port: number;
  /** Where the host listens for it. */
  readonly hostAddress: string;
  readonly hostPort: number;
}

export interface KumikoSettings {
  /** Files and folders of resources; none named: the folder of `kumiko.yaml`. */
  readonly resources: readonly ResourcePath[];
  /** Variables for `prepare`, `outside` and `token`; the caller's environment wins. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs to its end before the resources are read. */
  readonly prepare: readonly string[];
  /** PEM files of authorities that are trusted when keys are fetched from a jwksUri. */
  readonly authorities: readonly string[];
  /** Prints an access token; a user's name is added. */
  readonly token: readonly string[];
  /** Commands for a shell that are shown when all runs; a variable's value is quoted in them. */
  readonly try: readonly string[];
  readonly images: Readonly<Record<string, ImageCommand>>;
  readonly outside: Readonly<Record<string, OutsideProgram>>;
  /** Outside host to the real `HOST:PORT` or `HOST`; the key may name a port (`db.example.com:5432`), which then wins. */
  readonly hosts: Readonly<Record<string, string>>;
  readonly publish: readonly PublishedPort[];
}

export const NO_SETTINGS: KumikoSettings = {
  resources: [],
  env: {},
  prepare: [],
  authorities: [],
  token: [],
  try: [],
  images: {},
  outside: {},
  hosts: {},
  publish: [],
};

const MAX_BYTES = 256 * 1024;

/**
 * Reads `kumiko.yaml`. What is wrong is left out and named with `file:line`; the rest counts. `${NAME}` stands for one of the given variables or
 * of the file's `env`, where the given ones win; commands of images and outside programs keep theirs, for the shell that runs them.
 */
export function readKumikoYaml(
  text: string,
  file: string,
  variables: Variables = {},
): { readonly settings: KumikoSettings; readonly diagnostics: readonly Diagnostic[] } {
  const top = { file, line: 1, column: 1 };
  if (Buffer.byteLength(text) > MAX_BYTES) return refuse("KMK0003", `${file} is larger than 256 KiB`, top);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, maxAliasCount: 0 } as Parameters<typeof parseDocument>[1]);
  const at = (offset: number): SourcePosition => ({ file, line: lines.linePos(offset).line, column: lines.linePos(offset).col });
  const [wrong] = document.errors;
  if (wrong !== undefined) return refuse("KMK0002", wrong.message.split("\n")[0] ?? "not YAML", at(wrong.pos[0]));
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 0 });
  } catch {
    return refuse("KMK0003", "aliases are not allowed here", top);
  }
  const locate = (path: JsonPath): SourcePosition => {
    for (let end = path.length; end > 0; end--) {
      const parent = document.getIn(path.slice(0, end - 1), true);
      const key = isMap(parent)
        ? parent.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === String(path[end - 1]))?.key
        : undefined;
      const node = (key ?? document.getIn(path.slice(0, end), true)) as Node | undefined;
      if (node?.range) return at(node.range[0]);
    }
    return top;
  };
  const reader = new Reader(locate);
  const settings = readSettings(reader, value, variables);
  return { settings, diagnostics: reader.diagnostics };
}

function refuse(code: DiagnosticCode, message: string, position: SourcePosition) {
  return { settings: NO_SETTINGS, diagnostics: [diagnostic(code, { message, position })] };
}

function readSettings(reader: Reader, value: unknown, given: Variables): KumikoSettings {
  const root = reader.map(value ?? {}, [], Object.keys(NO_SETTINGS));
  const declared = Object.entries(readEnv(reader, root["env"], ["env"]));
  const env = Object.fromEntries(declared.map(([name, text]) => [name, given[name] ?? expandVariables(text, given)]));
  const variables = { ...env, ...given };
  const fill: Fill = (text) => expandVariables(text, variables);
  const words = (entry: unknown, path: JsonPath) => reader.words(entry, path).map(fill);
  return {
    resources: reader
      .list(root["resources"], ["resources"])
      .flatMap((entry, i) => readResources(reader, entry, ["resources", i], fill) ?? []),
    env,
    prepare: readCommand(reader, root["prepare"], ["prepare"]).map(fill),
    authorities: words(root["authorities"], ["authorities"]),
    token: readCommand(reader, root["token"], ["token"]).map(fill),
    try: reader.words(root["try"], ["try"]).map((command) => expandInCommand(command, variables)),
    images: reader.each(root["images"], ["images"], (entry, path) => readImage(reader, entry, path, fill)),
    outside: reader.each(root["outside"], ["outside"], (entry, path) => readOutside(reader, entry, path, fill)),
    hosts: reader.each(root["hosts"], ["hosts"], (entry, path) => readHost(reader, entry, path, fill)),
    publish: reader.list(root["publish"], ["publish"]).flatMap((entry, i) => readPublished(reader, entry, ["publish", i], fill) ?? []),
  };
}

/** Replaces `${NAME}`. */
type Fill = (text: string) => string;

function readCommand(reader: Reader, value: unknown, path: JsonPath): readonly string[] {
  if (value === undefined) return [];
  return reader.words(reader.map(value, path, ["command"])["command"], [...path, "command"]);
}

function readResources(reader: Reader, value: unknown, at: JsonPath, fill: Fill): ResourcePath | undefined {
  if (typeof value === "string") return fill(value);
  if (!isRecord(value)) return reader.wrong("a path is needed, or {path, namespace, values}", at);
  const fields = reader.map(value, at, ["path", "namespace", "values"]);
  const [path, namespace, values] = [fields["path"], fields["namespace"], fields["values"]];
  if (typeof path !== "string" || path === "") return reader.wrong("a path is needed", [...at, "path"]);
  if (namespace !== undefined && (typeof namespace !== "string" || !isDnsLabel(fill(namespace))))
    return reader.wrong("a namespace is needed", [...at, "namespace"]);
  if (values !== undefined && (typeof values !== "string" || values === ""))
    return reader.wrong("a file of a chart's values is needed", [...at, "values"]);
  if (namespace === undefined && values === undefined) return fill(path);
  return {
    path: fill(path),
    ...(namespace !== undefined && { namespace: fill(namespace) }),
    ...(values !== undefined && { values: fill(values) }),
  };
}

function readImage(reader: Reader, value: unknown, path: JsonPath, fill: Fill): ImageCommand {
  const fields = reader.map(value, path, ["command", "args", "workingDir", "env", "portEnv", "mounts", "programs"]);
  return {
    command: reader.words(fields["command"], [...path, "command"]),
    args: reader.words(fields["args"], [...path, "args"]),
    workingDir: reader.text(fields["workingDir"], [...path, "workingDir"]) ?? ".",
    env: readEnv(reader, fields["env"], [...path, "env"]),
    portEnv: readPortEnv(reader, fields["portEnv"], [...path, "portEnv"]),
    ...(fields["mounts"] !== undefined && { mounts: reader.words(fields["mounts"], [...path, "mounts"]).map(fill) }),
    ...(fields["programs"] !== undefined && { programs: readPrograms(reader, fields["programs"], [...path, "programs"]) }),
  };
}

function readPrograms(reader: Reader, value: unknown, path: JsonPath): Readonly<Record<string, readonly string[]>> {
  return reader.each(value, path, (entry, at) => {
    const words = reader.words(entry, at);
    return words.length > 0 ? words : reader.wrong("a command is needed", at);
  });
}

function readPortEnv(reader: Reader, value: unknown, path: JsonPath): ImageCommand["portEnv"] {
  if (value === undefined || typeof value === "string") return value;
  if (!isRecord(value)) return reader.wrong("a variable is needed, or a map of ports to variables", path);
  return reader.each(value, path, (entry, at) => reader.text(entry, at));
}

function readOutside(reader: Reader, value: unknown, path: JsonPath, fill: Fill): OutsideProgram | undefined {
  const fields = reader.map(value, path, ["command", "workingDir", "env", "ready", "readyTimeoutSeconds"]);
  const [program, ...args] = reader.words(fields["command"], [...path, "command"]);
  if (program === undefined) return reader.wrong("a command is needed", [...path, "command"]);
  const ready = reader.text(fields["ready"], [...path, "ready"], fill);
  if (ready !== undefined && !/^(tcp:[^\s:]+:\d{1,5}|https?:\/\/\S+)$/.test(ready)) {
    return reader.wrong("ready is `tcp:HOST:PORT` or an http(s) URL", [...path, "ready"]);
  }
  const seconds = fields["readyTimeoutSeconds"] ?? 60;
  if (typeof seconds !== "number" || !(seconds > 0 && seconds <= 3600)) {
    return reader.wrong("a number of seconds up to 3600 is needed", [...path, "readyTimeoutSeconds"]);
  }
  return {
    command: [program, ...args],
    workingDir: reader.text(fields["workingDir"], [...path, "workingDir"]) ?? ".",
    env: readEnv(reader, fields["env"], [...path, "env"], fill),
    ready,
    readyTimeoutMs: seconds * 1000,
  };
}

function readHost(reader: Reader, value: unknown, path: JsonPath, fill: Fill): string | undefined {
  const text = reader.text(value, path, fill);
  if (text === undefined) return text;
  const [matched, port = "1"] = /^[A-Za-z0-9._-]{1,253}(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (matched !== undefined && isPort(Number(port))) return text;
  return reader.wrong("a host or HOST:PORT is needed", path);
}

function readPublished(reader: Reader, value: unknown, path: JsonPath, fill: Fill): PublishedPort | undefined {
  const fields = reader.map(value, path, ["gateway", "port", "on"]);
  const [namespace, deployment, ...rest] = (reader.text(fields["gateway"], [...path, "gateway"]) ?? "").split("/");
  if (!namespace || !deployment || rest.length > 0) return reader.wrong("gateway is NAMESPACE/DEPLOYMENT", [...path, "gateway"]);
  const { port } = fields;
  if (!isPort(port)) return reader.wrong("a port from 1 to 65535 is needed", [...path, "port"]);
  const on = fill(String(fields["on"] ?? port));
  const [, hostAddress = "127.0.0.1", hostPort] = /^(?:([0-9.]+|localhost):)?(\d{1,5})$/.exec(on) ?? [];
  if (!isPort(Number(hostPort))) return reader.wrong("on is PORT or ADDRESS:PORT", [...path, "on"]);
  return { namespace, deployment, port, hostAddress, hostPort: Number(hostPort) };
}

function isPort(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value > 0 && value < 65536;
}

function readEnv(reader: Reader, value: unknown, path: JsonPath, fill?: Fill): Readonly<Record<string, string>> {
  return reader.each(value, path, (entry, at) => {
    if (typeof entry === "number" || typeof entry === "boolean") return String(entry);
    return reader.text(entry, at, fill);
  });
}

/** Takes a value apart and remembers what was wrong with it. */
class Reader {
  readonly diagnostics: Diagnostic[] = [];
  readonly #locate: (path: JsonPath) => SourcePosition;

  constructor(locate: (path: JsonPath) => SourcePosition) {
    this.#locate = locate;
  }

  wrong(why: string, path: JsonPath): undefined {
    this.diagnostics.push(diagnostic("KMK1001", { message: `${formatPath(path) || "kumiko.yaml"}: ${why}`, position: this.#locate(path) }));
    return undefined;
  }

  map(value: unknown, path: JsonPath, known: readonly string[]): Readonly<Record<string, unknown>> {
    if (!isRecord(value)) {
      this.wrong("a map is needed", path);
      return {};
    }
    for (const key of Object.keys(value)) if (!known.includes(key)) this.#unknown(key, path, known);
    return value;
  }

  each<T>(value: unknown, path: JsonPath, read: (entry: unknown, path: JsonPath) => T | undefined): Readonly<Record<string, T>> {
    if (value === undefined || value === null) return {};
    if (!isRecord(value)) {
      this.wrong("a map is needed", path);
      return {};
    }
    const entries: [string, T][] = [];
    for (const [key, entry] of Object.entries(value)) {
      const result = key === "__proto__" ? this.wrong("the name is not allowed", [...path, key]) : read(entry, [...path, key]);
      if (result !== undefined) entries.push([key, result]);
    }
    return Object.fromEntries(entries);
  }

  list(value: unknown, path: JsonPath): readonly unknown[] {
    if (value === undefined || value === null) return [];
    if (Array.isArray(value)) return value;
    this.wrong("a list is needed", path);
    return [];
  }

  words(value: unknown, path: JsonPath): readonly string[] {
    const list = this.list(value, path);
    if (list.every((word) => typeof word === "string" || typeof word === "number")) return list.map(String);
    this.wrong("a list of strings is needed", path);
    return [];
  }

  text(value: unknown, path: JsonPath, fill: Fill = (text) => text): string | undefined {
    if (value === undefined) return undefined;
    if (typeof value === "string") return fill(value);
    return this.wrong("a string is needed", path);
  }

  #unknown(key: string, path: JsonPath, known: readonly string[]): void {
    const near = didYouMean(key, known);
    this.diagnostics.push(
      diagnostic("KMK1002", {
        message: `${formatPath([...path, key])} is not known`,
        help: near === undefined ? `known are ${known.join(", ")}` : `did you mean ${near}?`,
        position: this.#locate([...path, key]),
      }),
    );
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
