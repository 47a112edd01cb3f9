import type { ProxyStatus } from "../admin/backend.ts";
import { findKindByWord, type Kind, kinds } from "../schema/kinds.ts";
import { apiPath, preferredVersion } from "./api-path.ts";
import { connectClient } from "./client.ts";
import {
  type ArgumentSpec,
  type CommandDefinition,
  defineCommand,
  flagOf,
  GLOBAL_OPTIONS,
  type OptionSpec,
  type OptionSpecs,
} from "./command.ts";
import { loadAllCommands } from "./commands.ts";
import { EXIT } from "./exit-code.ts";
import type { Io } from "./io.ts";
import type { ApiResource } from "./kind-columns.ts";

export interface Candidate {
  readonly value: string;
  readonly help: string;
}

/** Asks the running mesh for names; none where no mesh runs. */
export interface Names {
  resources(kind: Kind, namespace: string | undefined): Promise<readonly string[]>;
  workloads(namespace: string | undefined): Promise<readonly string[]>;
  namespaces(): Promise<readonly string[]>;
}

export const complete = defineCommand({
  name: "__complete",
  summary: "Print what may stand at the cursor, for completion scripts",
  hidden: true,
  arguments: [{ name: "word", help: "the words after kumiko, the last one being written", optional: true, variadic: true }],
  async run({ args, io }) {
    const candidates = await findCandidates(args, await loadAllCommands(), namesOf(io));
    for (const { value, help } of candidates) io.stdout.write(`${value}\t${help}\n`);
    return EXIT.done;
  },
});

/** What may stand in place of the last word, given those before it. Empty where only the shell knows (files). */
export async function findCandidates(
  words: readonly string[],
  definitions: readonly CommandDefinition[],
  names: Names,
): Promise<readonly Candidate[]> {
  const current = words.at(-1) ?? "";
  const before = words.slice(0, -1);
  const line = readLine(before, definitions);
  const all = await candidatesAt(line, current, definitions, names);
  return all.filter(({ value }) => value.startsWith(current));
}

interface Line {
  readonly command: CommandDefinition | undefined;
  readonly positionals: readonly string[];
  readonly namespace: string | undefined;
  /** The option whose value is being written. */
  readonly open: { readonly key: string; readonly spec: OptionSpec } | undefined;
}

function readLine(words: readonly string[], definitions: readonly CommandDefinition[]): Line {
  let command: CommandDefinition | undefined;
  let namespace: string | undefined;
  let open: Line["open"];
  const positionals: string[] = [];
  for (const word of words) {
    if (open !== undefined) {
      if (open.key === "namespace") namespace = word;
      open = undefined;
    } else if (word.startsWith("-")) {
      open = word.includes("=") ? undefined : findOption(word, command);
    } else if (command === undefined) {
      command = definitions.find((definition) => definition.name === word);
      if (command === undefined) break;
    } else {
      positionals.push(word);
    }
  }
  return { command, positionals, namespace, open };
}

function optionsOf(command: CommandDefinition | undefined): OptionSpecs {
  return { ...command?.options, ...GLOBAL_OPTIONS };
}

function findOption(word: string, command: CommandDefinition | undefined): Line["open"] {
  const [key, spec] =
    Object.entries(optionsOf(command)).find(
      ([name, { short }]) => word === `--${flagOf(name)}` || (short !== undefined && word === `-${short}`),
    ) ?? [];
  return key === undefined || spec === undefined || spec.type === "boolean" ? undefined : { key, spec };
}

async function candidatesAt(
  { command, positionals, namespace, open }: Line,
  current: string,
  definitions: readonly CommandDefinition[],
  names: Names,
): Promise<readonly Candidate[]> {
  if (open?.key === "namespace") return named(await names.namespaces());
  if (open !== undefined) return named(open.spec.type === "string" ? (open.spec.choices ?? []) : []);
  if (current.startsWith("-")) return flags(command);
  if (command === undefined)
    return definitions.filter((definition) => definition.hidden !== true).map(({ name, summary }) => ({ value: name, help: summary }));
  const specs = command.arguments ?? [];
  const spec = specs[positionals.length] ?? (specs.at(-1)?.variadic === true ? specs.at(-1) : undefined);
  return spec === undefined ? [] : argumentValues(spec, positionals, current, namespace, names);
}

function flags(command: CommandDefinition | undefined): readonly Candidate[] {
  const shown = Object.entries(optionsOf(command)).filter(([, spec]) => spec.hidden !== true);
  return [...shown.map(([key, { help }]) => ({ value: `--${flagOf(key)}`, help })), { value: "--help", help: "print this help" }];
}

async function argumentValues(
  spec: ArgumentSpec,
  positionals: readonly string[],
  current: string,
  namespace: string | undefined,
  names: Names,
): Promise<readonly Candidate[]> {
  if (spec.choices !== undefined) return named(spec.choices);
  if (spec.names === "workload") return named(await names.workloads(namespace));
  if (spec.names !== "resource") return [];
  const [first] = positionals;
  const pair = /^([^/]+)\//.exec(current)?.[1];
  const kind = findKindByWord(pair ?? first ?? "");
  if (pair !== undefined) return kind === undefined ? [] : named((await names.resources(kind, namespace)).map((name) => `${pair}/${name}`));
  if (first === undefined) return kinds.map((one) => ({ value: one.plural, help: [one.kind, ...one.shortNames].join(", ") }));
  return kind === undefined ? [] : named((await names.resources(kind, namespace)).filter((name) => !positionals.includes(name)));
}

function named(values: readonly string[]): readonly Candidate[] {
  return values.map((value) => ({ value, help: "" }));
}

function namesOf(io: Io): Names {
  const ask = async <Body>(path: string): Promise<Body | undefined> => {
    try {
      return await connectClient({ socket: undefined, dir: undefined }, io).get<Body>(path);
    } catch {
      return undefined;
    }
  };
  const list = async (kind: Kind, namespace: string | undefined) => {
    const found = await ask<{ readonly items: readonly ApiResource[] }>(apiPath(kind, preferredVersion(kind), namespace));
    return (found?.items ?? []).map(({ metadata }) => metadata.name);
  };
  return {
    resources: (kind, namespace) => list(kind, namespace ?? "default"),
    async workloads(namespace) {
      const found = await ask<{ readonly items: readonly ProxyStatus[] }>("/kumiko/v1/proxies");
      return (found?.items ?? []).flatMap((proxy) =>
        namespace === undefined ? [`${proxy.name}.${proxy.namespace}`] : proxy.namespace === namespace ? [proxy.name] : [],
      );
    },
    async namespaces() {
      const kind = findKindByWord("namespaces");
      return kind === undefined ? [] : list(kind, undefined);
    },
  };
}
