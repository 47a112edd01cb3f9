import { MeshError } from "../model/error.ts";
import type { CommandDefinition } from "./command.ts";

/** Every command, in the order of the help; each is loaded only when it is run, or when the help is asked for. */
const COMMANDS: Readonly<Record<string, () => Promise<CommandDefinition>>> = {
  up: async () => (await import("./up.ts")).up,
  down: async () => (await import("./down.ts")).down,
  status: async () => (await import("./status.ts")).status,
  get: async () => (await import("./get.ts")).get,
  apply: async () => (await import("./apply.ts")).apply,
  delete: async () => (await import("./delete.ts")).deleteCommand,
  "accept-removals": async () => (await import("./accept-removals.ts")).acceptRemovals,
  test: async () => (await import("./test.ts")).test,
  proxy: async () => (await import("./proxy.ts")).proxy,
  logs: async () => (await import("./logs.ts")).logs,
  token: async () => (await import("./token.ts")).token,
  "join-token": async () => (await import("./join-token.ts")).joinToken,
  serve: async () => (await import("./serve.ts")).serve,
  agent: async () => (await import("./agent.ts")).agent,
  version: async () => (await import("./version.ts")).version,
  completion: async () => (await import("./completion.ts")).completion,
  machine: async () => (await import("./machine.ts")).machine,
  "test-echo": async () => (await import("./test-echo.ts")).testEcho,
  "test-lab": async () => (await import("./test-lab.ts")).testLab,
  __complete: async () => (await import("./complete.ts")).complete,
};

export const COMMAND_NAMES: readonly string[] = Object.keys(COMMANDS);

export async function loadCommand(name: string): Promise<CommandDefinition> {
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (load === undefined) throw new MeshError("usage", `unknown command "${name}"`, { help: "kumiko --help" });
  return load();
}

export function loadAllCommands(): Promise<readonly CommandDefinition[]> {
  return Promise.all(COMMAND_NAMES.map(loadCommand));
}
