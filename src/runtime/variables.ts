import { quote } from "../base/shell.ts";

export type Variables = Readonly<Record<string, string | undefined>>;

/** `${NAME}` and `${NAME:-otherwise}`, as shells have them; a name without a value is empty. `$(...)` is left for the shell that runs it. */
export function expandVariables(text: string, variables: Variables): string {
  return text.replaceAll(
    /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g,
    (_, name: string, otherwise: string | undefined) => variables[name] || (otherwise ?? ""),
  );
}

const VARIABLE = /^\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/;

/**
 * As `expandVariables` in a command for a shell: each value stays one word, or part of one, whatever it holds, within quotes of either kind and
 * within `$(...)` too.
 */
export function expandInCommand(command: string, variables: Variables): string {
  const open: ("plain" | "single" | "double")[] = ["plain"];
  let text = "";
  for (let at = 0; at < command.length; ) {
    const rest = command.slice(at);
    const within = open.at(-1) ?? "plain";
    const [variable, name = "", otherwise = ""] = VARIABLE.exec(rest) ?? [];
    const length = variable?.length ?? lengthOfSign(rest, within);
    text += variable === undefined ? rest.slice(0, length) : quoteWithin(variables[name] || otherwise, within);
    if (variable === undefined) turn(rest.slice(0, length), within, open);
    at += length;
  }
  return text;
}

/** A backslash takes what follows with it, and `$(` is one sign. */
function lengthOfSign(rest: string, within: string): number {
  return within !== "single" && (rest.startsWith("\\") || rest.startsWith("$(")) ? Math.min(2, rest.length) : 1;
}

function turn(sign: string, within: "plain" | "single" | "double", open: ("plain" | "single" | "double")[]): void {
  if (sign === "$(" && within !== "single") open.push("plain");
  else if (sign === "'" && within !== "double") toggle("single", within, open);
  else if (sign === '"' && within !== "single") toggle("double", within, open);
  else if (sign === ")" && within === "plain" && open.length > 1) open.pop();
}

function toggle(kind: "single" | "double", within: string, open: ("plain" | "single" | "double")[]): void {
  if (within === kind) open.pop();
  else open.push(kind);
}

function quoteWithin(value: string, within: "plain" | "single" | "double"): string {
  if (within === "single") return value.replaceAll("'", `'\\''`);
  if (within === "double") return value.replaceAll(/[\\"$`]/g, String.raw`\$&`);
  return value === "" ? "" : quote(value);
}
