import { Argument, Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { didYouMean } from "../base/did-you-mean.ts";
import { MeshError } from "../model/error.ts";
import {
  type CommandDefinition,
  flagOf,
  GLOBAL_OPTIONS,
  type OptionSpec,
  type OptionSpecs,
  type OptionValues,
  type GlobalOptions,
} from "./command.ts";
import { COMMAND_NAMES, loadAllCommands, loadCommand } from "./commands.ts";
import { versionLine } from "./package-version.ts";

export type Parsed =
  | {
      readonly kind: "run";
      readonly command: CommandDefinition;
      readonly args: readonly string[];
      readonly options: OptionValues<OptionSpecs> & GlobalOptions;
    }
  /** The command line asked for a text: help or version. */
  | { readonly kind: "answer"; readonly text: string };

/**
 * Reads a command line. Only the command that it names is loaded; all of them where the help lists them.
 * Throws a `usage` MeshError, with a did-you-mean and the help to call, for anything that no command declares.
 */
export async function parse(argv: readonly string[]): Promise<Parsed> {
  const named = commandOf(argv);
  const known = named !== undefined && COMMAND_NAMES.includes(named);
  const definitions = known && named !== "help" ? [await loadCommand(named)] : await loadAllCommands();
  let parsed: Parsed = { kind: "answer", text: "" };
  let text = "";
  const program = toProgram(
    definitions,
    (text_) => (text += text_),
    (run) => (parsed = run),
  );
  try {
    await program.parseAsync(argv.length === 0 ? ["--help"] : [...argv], { from: "user" });
    return parsed;
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    if (thrown.exitCode === 0) return { kind: "answer", text: thrown.code === "commander.version" ? `${versionLine()}\n` : text };
    throw usageError(thrown, known ? named : undefined);
  }
}

/** The first word that is not an option or the value of a global one. */
function commandOf(argv: readonly string[]): string | undefined {
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? "";
    if (!word.startsWith("-")) return word;
    const takesValue = Object.entries(GLOBAL_OPTIONS).some(
      ([key, spec]) => word === `--${flagOf(key)}` || ("short" in spec && word === `-${spec.short}`),
    );
    if (takesValue) i++;
  }
  return undefined;
}

type Run = Extract<Parsed, { kind: "run" }>;

function toProgram(definitions: readonly CommandDefinition[], write: (text: string) => void, found: (run: Run) => void): Command {
  const program = new Command("kumiko")
    .description("A zero-trust service mesh that says why: Istio's resources, real Envoys, one command on a laptop")
    .option("-V, --version", "print the version")
    .helpCommand("help [command]", "print the help of a command")
    .showSuggestionAfterError(true);
  program.on("option:version", () => {
    throw new CommanderError(0, "commander.version", "");
  });
  prepare(program, write);
  for (const option of toOptions(GLOBAL_OPTIONS)) program.addOption(option);
  for (const definition of definitions) program.addCommand(toCommand(definition, write, found), { hidden: definition.hidden === true });
  program.addHelpText(
    "after",
    "\nStart with:\n  kumiko up            a sample mesh in an empty folder, or the one of this folder\n  kumiko status        what runs, and whether it is well",
  );
  return program;
}

/** Errors are ours to write, help goes where output goes; nothing ends the process. */
function prepare(command: Command, write: (text: string) => void): void {
  command
    .helpOption("-h, --help", "print this help")
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({ writeOut: write, writeErr: write, outputError: () => {}, getOutHelpWidth: () => 120, getErrHelpWidth: () => 120 });
}

function toCommand(definition: CommandDefinition, write: (text: string) => void, found: (run: Run) => void): Command {
  const command = new Command(definition.name).description(definition.summary).allowExcessArguments(false);
  prepare(command, write);
  for (const { name, help, choices, optional, variadic } of definition.arguments ?? []) {
    const words = variadic === true ? `${name}...` : name;
    const argument = new Argument(optional === true ? `[${words}]` : `<${words}>`, help);
    command.addArgument(choices === undefined ? argument : argument.choices(choices));
  }
  for (const option of toOptions(definition.options ?? {})) command.addOption(option);
  if (definition.examples !== undefined)
    command.addHelpText("after", `\nExamples:\n${definition.examples.map((line) => `  ${line}`).join("\n")}`);
  return command.action((...values: unknown[]) => {
    const args = values
      .slice(0, definition.arguments?.length ?? 0)
      .flat()
      .filter((value) => typeof value === "string");
    const options = { ...defaultsOf(definition.options ?? {}), ...command.optsWithGlobals() } as Run["options"];
    found({ kind: "run", command: definition, args, options });
  });
}

/** Flags that were not given are false and lists are empty, so that a command needs no `undefined` for them. */
function defaultsOf(specs: OptionSpecs): Record<string, unknown> {
  const defaults: Record<string, unknown> = {};
  for (const [key, spec] of Object.entries(specs)) {
    if (spec.type === "boolean") defaults[key] = false;
    if (spec.type === "strings") defaults[key] = [];
  }
  return defaults;
}

function toOptions(specs: OptionSpecs): Option[] {
  return Object.entries(specs).map(([key, spec]) => {
    const flags = `${spec.short === undefined ? "" : `-${spec.short}, `}--${flagOf(key)}${spec.type === "boolean" ? "" : ` <${spec.value}>`}`;
    const option = new Option(flags, spec.help).hideHelp(spec.hidden === true);
    return withValue(option, spec);
  });
}

function withValue(option: Option, spec: OptionSpec): Option {
  if (spec.type === "strings")
    return option.argParser((value: string, earlier: readonly string[] | undefined) => [...(earlier ?? []), value]);
  if (spec.type === "number") option.argParser(readNumber);
  if (spec.type === "string" && spec.choices !== undefined) option.choices(spec.choices);
  if (spec.type !== "boolean" && spec.default !== undefined) option.default(spec.default);
  return option;
}

function readNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value < 0) throw new InvalidArgumentError("It must be a number, zero or more.");
  return value;
}

/** Commander's `error: unknown option '--x'\n(Did you mean --y?)` in our form. */
function usageError(error: CommanderError, command: string | undefined): MeshError {
  const message = error.message
    .replace(/^error: /, "")
    .replaceAll("'", '"')
    .replace(/^command-argument value (".*") is invalid for argument (".*?")\. /, "$1 is no $2. ")
    .replace(/^option (".*?") argument (".*") is invalid\. /, "$2 is not a value of $1. ")
    .replaceAll(/\s*\n\s*/g, " ")
    .trim();
  return new MeshError("usage", withChoice(message), { help: command === undefined ? "kumiko --help" : `kumiko ${command} --help` });
}

/** `"rout" is no "view". Allowed choices are routes, clusters.` with the choice that was meant. */
function withChoice(message: string): string {
  const [, typed, list] = /^"(.+?)" is .*Allowed choices are (.*)\.$/.exec(message) ?? [];
  if (typed === undefined || list === undefined) return message;
  const choices = list.split(", ");
  const meant = choices.find((choice) => choice.startsWith(typed)) ?? didYouMean(typed, choices);
  return meant === undefined ? message : `${message} (Did you mean ${meant}?)`;
}
