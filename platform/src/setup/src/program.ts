import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect } from "node:net";

export interface ProgramOptions {
  /** The program's file, or its name on the PATH. */
  readonly program: string;
  readonly args: readonly string[];
  /** What to write before it, such as {@link withoutRoot}'s answer. */
  readonly prefix?: readonly string[];
  /** What its environment holds beside this process's PATH, and UTC as the time zone. */
  readonly env?: Readonly<Record<string, string>>;
  /** What tells it to stop in order; where the system can, it gets it, too, when this process dies without a word. */
  readonly stopSignal: "SIGTERM" | "SIGINT";
  /** Gets all that it prints, as it comes. */
  readonly log: (text: string) => void;
}

/** A running program, to those who only wait for its end. */
export interface RunningProgram {
  readonly pid: number;
  /** Settles when it has ended, with its exit code or signal; with a negative number where it could not be started. Never rejects. */
  readonly ended: Promise<number | string>;
  /** Tells it to stop, where it runs, and waits until it has ended. */
  stop(): Promise<void>;
}

/** A running program, to the one who started it. */
export interface Program extends RunningProgram {
  /** The last of what it printed. */
  output(): string;
  isRunning(): boolean;
  /** Ends it without waiting. */
  kill(): void;
}

const KEPT_OUTPUT = 4_000;
const POLL_MS = 50;

/** `nobody`: has an entry in /etc/passwd, which PostgreSQL's initdb asks for. */
const NOBODY = "65534";

/**
 * Starts a program. One that is not there has `ended`, and says why in its log and its output.
 *
 * @throws where the system can't even try (a NUL in a name, too many arguments).
 */
export function startProgram({ program, args, prefix = [], env = {}, stopSignal, log }: ProgramOptions): Program {
  const [command = program, ...rest] = [...prefix, ...deathWish(stopSignal), program, ...args];
  const child = spawn(command, rest, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"], TZ: "UTC", ...env },
    // Ctrl-C at the terminal is this process's to hear, which then stops the program in order.
    detached: true,
  });
  let output = "";
  const read = (text: string) => {
    output = (output + text).slice(-KEPT_OUTPUT);
    log(text);
  };
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", read);
  child.on("error", (error) => read(`${command}: ${error.message}\n`));
  const ended = new Promise<number | string>((resolve) => {
    child.once("close", (code, signal) => resolve(code ?? String(signal)));
  });
  const isRunning = () => child.pid !== undefined && child.exitCode === null && child.signalCode === null;
  return {
    pid: child.pid ?? 0,
    ended,
    output: () => output,
    isRunning,
    kill: () => void child.kill("SIGKILL"),
    async stop() {
      if (isRunning()) child.kill(stopSignal);
      await ended;
    },
  };
}

/** Makes the system stop a program when this process dies without a word, where the system can. */
function deathWish(signal: ProgramOptions["stopSignal"]): readonly string[] {
  const setpriv = ["/usr/bin/setpriv", "/bin/setpriv"].find((path) => existsSync(path));
  return setpriv === undefined ? [] : [setpriv, "--pdeathsig", signal.slice("SIG".length), "--"];
}

/**
 * What to write before a program that is not to run as root: nothing, where this process is not root. For root: a user namespace in which
 * root's files belong to `nobody`, so that the program reads and writes them, is nobody elsewhere, and no account has to be made.
 *
 * @param refusal how the error begins: who it is that is not run as root.
 * @throws where root can't make a user namespace.
 */
export function withoutRoot(refusal: string, uid = process.getuid?.()): readonly string[] {
  if (uid !== 0) return [];
  const [unshare, ...args] = ["unshare", "--user", `--map-user=${NOBODY}`, `--map-group=${NOBODY}`, "--"] as const;
  if (spawnSync(unshare, [...args, "true"], { stdio: "ignore" }).status === 0) return [unshare, ...args];
  throw new Error(`${refusal}, and this machine forbids user namespaces: run as an ordinary user`);
}

/**
 * Looks again and again whether a program does its work.
 *
 * @returns "ready" once `look` says so, "ended" when the program ended first, "late" after `ms`: it runs on then.
 * @throws what `look` throws.
 */
export async function untilReady(
  program: Pick<Program, "isRunning">,
  look: () => Promise<boolean>,
  ms: number,
): Promise<"ready" | "ended" | "late"> {
  const deadline = performance.now() + ms;
  while (program.isRunning()) {
    if (await look()) return program.isRunning() ? "ready" : "ended";
    if (performance.now() > deadline) return "late";
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return "ended";
}

/** Whether somebody takes connections on this port of loopback. */
export async function canConnect(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
