import type { Readable } from "node:stream";
import { EchoApplication } from "./application.ts";
import { AttemptCounts } from "./attempt-counts.ts";
import { send } from "./client.ts";
import { EchoServer } from "./echo-server.ts";
import { LineReader } from "./line-reader.ts";
import { ECHO_LIMITS, type EchoInput, type EchoOutput } from "./protocol.ts";
import { readInput } from "./read-input.ts";

export interface EchoProgramOptions {
  /** Lines of `EchoInput`. */
  readonly input: Readable;
  /** Takes one line of `EchoOutput`, with its line feed, at once. */
  write(line: string): void;
  /** A folder in which programs count the attempts of a call together. */
  readonly attemptsFolder?: string;
}

/** Serves and sends as its input says; resolves when that has ended and every port is closed. */
export async function runEchoProgram({ input, write, attemptsFolder }: EchoProgramOptions): Promise<void> {
  const emit = (output: EchoOutput): void => write(`${JSON.stringify(output)}\n`);
  const server = new EchoServer(new EchoApplication(emit, new AttemptCounts(attemptsFolder)));
  const program = new EchoProgram(server, emit);
  const lines = new LineReader(ECHO_LIMITS.lineBytes, (line) => program.take(line));
  input.on("data", (chunk: Buffer) => lines.push(chunk));
  await new Promise<void>((resolve) =>
    input
      .once("end", resolve)
      .once("close", resolve)
      .once("error", () => resolve()),
  );
  await program.close();
}

class EchoProgram {
  readonly #server: EchoServer;
  readonly #emit: (output: EchoOutput) => void;
  /** One set of ports after another. */
  #listening: Promise<void> = Promise.resolve();
  #sending = 0;

  constructor(server: EchoServer, emit: (output: EchoOutput) => void) {
    this.#server = server;
    this.#emit = emit;
  }

  take(line: string | undefined): void {
    const input = line === undefined ? ({ kind: "bad", message: "a line is too long" } as const) : readInput(line);
    switch (input.kind) {
      case "listen":
        this.#listening = this.#listening.then(() => this.#listen(input));
        return;
      case "send":
        void this.#send(input);
        return;
      case "flush":
        // What is already there to be read from connections comes first.
        setImmediate(() => setImmediate(() => this.#emit({ kind: "flushed", id: input.id })));
        return;
      default: {
        const { id, message } = input;
        this.#emit({ kind: "error", ...(id !== undefined && { id }), message });
      }
    }
  }

  async close(): Promise<void> {
    await this.#listening;
    await this.#server.close();
  }

  async #listen({ id, ports }: Extract<EchoInput, { kind: "listen" }>): Promise<void> {
    this.#emit({ kind: "listening", id, failed: await this.#server.listen(ports) });
  }

  async #send({ id, order }: Extract<EchoInput, { kind: "send" }>): Promise<void> {
    if (this.#sending >= ECHO_LIMITS.sendsAtOnce) {
      this.#emit({ kind: "error", id, message: `more than ${ECHO_LIMITS.sendsAtOnce} requests are under way` });
      return;
    }
    this.#sending += 1;
    try {
      this.#emit({ kind: "report", id, report: await send(order) });
    } catch (error) {
      this.#emit({ kind: "error", id, message: error instanceof Error ? error.message : String(error) });
    } finally {
      this.#sending -= 1;
    }
  }
}
