import { readEnvironment } from "../controlplane/config.ts";
import type { Io } from "../cli/io.ts";

/** An Io that collects what is written. The clock stands at 2026-01-01T01:00:00Z. */
export function fakeIo(
  over: {
    readonly cwd?: string;
    readonly stdin?: string;
    readonly terminal?: boolean;
    readonly variables?: Record<string, string>;
    readonly signal?: AbortSignal;
  } = {},
) {
  const written = { out: "", err: "" };
  const isTerminal = over.terminal ?? false;
  const variables = { HOME: "/nowhere", ...over.variables };
  const io: Io = {
    stdout: { write: (text) => void (written.out += text), isTerminal },
    stderr: { write: (text) => void (written.err += text), isTerminal },
    readStdin: async () => over.stdin ?? "",
    environment: readEnvironment(variables),
    cwd: over.cwd ?? "/",
    now: () => Date.UTC(2026, 0, 1, 1),
    signal: over.signal ?? new AbortController().signal,
    impatience: new AbortController().signal,
    termination: new AbortController().signal,
    leaveInterruptsToParent() {},
  };
  return { io, written };
}
