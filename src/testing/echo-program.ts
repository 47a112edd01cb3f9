import { PassThrough } from "node:stream";
import { runEchoProgram } from "../meshtest/echo-program/echo-program.ts";
import type { EchoInput, EchoOutput } from "../meshtest/echo-program/protocol.ts";
import type { Arrival, ClientOrder, ClientReport, EchoPort } from "../meshtest/real/exchange.ts";
import { until } from "./until.ts";

type OfKind<Kind extends EchoOutput["kind"]> = Extract<EchoOutput, { kind: Kind }>;

/** An echo program in this process, spoken to by its lines. */
export class EchoUnderTest {
  readonly outputs: EchoOutput[] = [];
  readonly ended: Promise<void>;
  readonly #input = new PassThrough();
  #lastId = 0;

  constructor(attemptsFolder?: string) {
    const write = (line: string): void => void this.outputs.push(JSON.parse(line) as EchoOutput);
    this.ended = runEchoProgram({ input: this.#input, write, ...(attemptsFolder !== undefined && { attemptsFolder }) });
  }

  async listen(...ports: readonly EchoPort[]): Promise<OfKind<"listening">> {
    return this.#ask({ kind: "listen", id: ++this.#lastId, ports }, "listening");
  }

  async send(order: ClientOrder): Promise<ClientReport> {
    return (await this.#ask({ kind: "send", id: ++this.#lastId, order }, "report")).report;
  }

  async flush(): Promise<readonly Arrival[]> {
    await this.#ask({ kind: "flush", id: ++this.#lastId }, "flushed");
    return this.arrivals();
  }

  arrivals(): readonly Arrival[] {
    return this.outputs.filter((output) => output.kind === "arrival").map(({ arrival }) => arrival);
  }

  write(text: string | Uint8Array): void {
    this.#input.write(text);
  }

  async close(): Promise<void> {
    this.#input.end();
    await this.ended;
  }

  async #ask<Kind extends EchoOutput["kind"]>(input: EchoInput, kind: Kind): Promise<OfKind<Kind>> {
    this.write(`${JSON.stringify(input)}\n`);
    const answer = await until(`an answer to ${input.kind}`, () => this.outputs.find((output) => "id" in output && output.id === input.id));
    if (answer.kind !== kind) throw new Error(JSON.stringify(answer));
    return answer as OfKind<Kind>;
  }
}

let addresses = 0;

/** A loopback address that nobody else uses, so that ports need not be free elsewhere. */
export function freshAddress(): string {
  addresses += 1;
  return `127.${1 + (process.pid % 250)}.${Math.floor(process.pid / 250) % 250}.${1 + (addresses % 250)}`;
}

/** A GET of `/` over HTTP/1. */
export function orderTo(address: string, more: Partial<ClientOrder> = {}): ClientOrder {
  return {
    protocol: "http1",
    destination: { address, port: 8080 },
    method: "GET",
    authority: "shop.example",
    path: "/",
    headers: [],
    body: "",
    timeoutMs: 10_000,
    ...more,
  };
}
