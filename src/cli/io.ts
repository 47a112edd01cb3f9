import { terminalText } from "../base/printable.ts";
import { type Environment, readEnvironment } from "../controlplane/config.ts";

export interface Output {
  write(text: string): void;
  readonly isTerminal: boolean;
}

/** All that a command touches of the world around it. */
export interface Io {
  readonly stdout: Output;
  readonly stderr: Output;
  readStdin(): Promise<string>;
  readonly environment: Environment;
  readonly cwd: string;
  /** Milliseconds since 1970, for ages. */
  now(): number;
  /** Ends when the person presses Ctrl-C or the command is asked to stop. */
  readonly signal: AbortSignal;
  /** Ends when that is asked a second time; unless a command asks for this signal, the second time ends the process. */
  readonly impatience: AbortSignal;
  /**
   * For a process that another one of ours started and stops: ends with SIGTERM, or with the parent; implies `leaveInterruptsToParent`.
   */
  readonly termination: AbortSignal;
  /** A Ctrl-C at the terminal reaches all processes at once: only the first of them, which stops the others in order, is to act on it. */
  leaveInterruptsToParent(): void;
}

/** The real world. A reader that closes our output early (`kumiko get pods | head`) ends us quietly, as other programs do. */
export function processIo(): Io {
  let interrupt: AbortController | undefined;
  let impatience: AbortController | undefined;
  let termination: AbortController | undefined;
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
  return {
    stdout: outputTo(process.stdout),
    stderr: outputTo(process.stderr),
    readStdin,
    environment: readEnvironment(process.env),
    cwd: process.cwd(),
    now: Date.now,
    // Made when asked for: a command that never asks is ended by Ctrl-C at once, as any program.
    get signal() {
      interrupt ??= abortOnSignals(new AbortController(), ...INTERRUPTS);
      return interrupt.signal;
    },
    get impatience() {
      if (impatience === undefined) {
        const controller = new AbortController();
        impatience = controller;
        const again = () => abortOnSignals(controller, ...INTERRUPTS);
        if (this.signal.aborted) again();
        else this.signal.addEventListener("abort", again, { once: true });
      }
      return impatience.signal;
    },
    get termination() {
      termination ??= abortWithParent();
      return termination.signal;
    },
    leaveInterruptsToParent,
  };
}

function outputTo(stream: NodeJS.WriteStream): Output {
  const isTerminal = stream.isTTY === true;
  return { write: (text) => void stream.write(isTerminal ? terminalText(text) : text), isTerminal };
}

const INTERRUPTS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

function abortOnSignals(controller: AbortController, ...names: readonly NodeJS.Signals[]): AbortController {
  for (const name of names) process.once(name, () => controller.abort(name));
  return controller;
}

function leaveInterruptsToParent(): void {
  for (const name of ["SIGINT", "SIGHUP"] as const) process.on(name, () => {});
}

const PARENT_CHECK_MS = 500;

function abortWithParent(): AbortController {
  const controller = abortOnSignals(new AbortController(), "SIGTERM");
  leaveInterruptsToParent();
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    controller.abort("the parent process ended");
  }, PARENT_CHECK_MS);
  timer.unref();
  return controller;
}

/** Far above any set of manifests that a person pipes in. */
const STDIN_LIMIT_BYTES = 64 * 1024 * 1024;

async function readStdin(): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of process.stdin as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > STDIN_LIMIT_BYTES) throw new RangeError(`standard input is longer than ${STDIN_LIMIT_BYTES} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}
