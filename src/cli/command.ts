import type { ExitCode } from "./exit-code.ts";
import type { Io } from "./io.ts";

/** `key: { type: "boolean" }` becomes `--key`; a key in camelCase is written with hyphens. */
export type OptionSpec =
  | { readonly type: "boolean"; readonly short?: string; readonly help: string; readonly hidden?: true }
  | {
      readonly type: "string";
      readonly short?: string;
      /** Stands for the value in the help: `FILE`. */
      readonly value: string;
      readonly help: string;
      readonly choices?: readonly string[];
      readonly default?: string;
      readonly hidden?: true;
    }
  | { readonly type: "strings"; readonly short?: string; readonly value: string; readonly help: string; readonly hidden?: true }
  | {
      readonly type: "number";
      readonly short?: string;
      readonly value: string;
      readonly help: string;
      readonly default?: number;
      readonly hidden?: true;
    };

export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

export interface ArgumentSpec {
  readonly name: string;
  readonly help: string;
  readonly choices?: readonly string[];
  /** What shell completion asks the mesh for. */
  readonly names?: "resource" | "workload";
  readonly optional?: true;
  /** Takes all that follows; the last one only. */
  readonly variadic?: true;
}

type ValueOf<Spec> = Spec extends { type: "boolean" }
  ? boolean
  : Spec extends { type: "strings" }
    ? readonly string[]
    : Spec extends { type: "number"; default: number }
      ? number
      : Spec extends { type: "number" }
        ? number | undefined
        : Spec extends { default: string }
          ? string
          : string | undefined;

export type OptionValues<Specs extends OptionSpecs> = { readonly [Key in keyof Specs]: ValueOf<Specs[Key]> };

/** Options that every command takes, before or after its name. */
export const GLOBAL_OPTIONS = {
  namespace: { type: "string", short: "n", value: "NAMESPACE", help: "namespace of what is named (default)" },
  dir: { type: "string", value: "DIR", help: "look for the running mesh from this folder upwards, not from the current one" },
  socket: { type: "string", value: "FILE", help: "the mesh's admin socket (also KUMIKO_SOCKET)" },
} as const satisfies OptionSpecs;

export type GlobalOptions = OptionValues<typeof GLOBAL_OPTIONS>;

export interface Invocation<Specs extends OptionSpecs> {
  readonly args: readonly string[];
  readonly options: OptionValues<Specs> & GlobalOptions;
  readonly io: Io;
}

export interface CommandDefinition<Specs extends OptionSpecs = OptionSpecs> {
  readonly name: string;
  /** One line, in the imperative, without a period. */
  readonly summary: string;
  readonly arguments?: readonly ArgumentSpec[];
  readonly options?: Specs;
  /** Lines for the end of the help: each a command to type. */
  readonly examples?: readonly string[];
  /** Ours to call, not a person's: absent from help and completion. */
  readonly hidden?: true;
  run(invocation: Invocation<Specs>): Promise<ExitCode>;
}

/** A command declares itself; help, parsing and completion are made of the declaration. */
export function defineCommand<const Specs extends OptionSpecs>(definition: CommandDefinition<Specs>): CommandDefinition {
  // The parser fills `options` by these very specs, so a command sees exactly what it declared.
  return definition as unknown as CommandDefinition;
}

/** `tlsCert` → `tls-cert`, as it is typed. */
export function flagOf(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
