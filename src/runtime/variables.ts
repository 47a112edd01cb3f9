export type Variables = Readonly<Record<string, string | undefined>>;

/** `${NAME}` and `${NAME:-otherwise}`, as shells have them; a name without a value is empty. `$(...)` is left for the shell that runs it. */
export function expandVariables(text: string, variables: Variables): string {
  return text.replaceAll(
    /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g,
    (_, name: string, otherwise: string | undefined) => variables[name] || (otherwise ?? ""),
  );
}
