import { MeshError } from "../../../model/error.ts";
import type { EchoInput, EchoOutput } from "../../echo-program/protocol.ts";
import type { Arrival, ClientOrder, ClientReport, EchoPort } from "../exchange.ts";
import type { MeshProgramInput, OutsideOrder, OutsideReport, ProgramId } from "./protocol.ts";

type Said = EchoOutput | OutsideReport;
type Unnumbered<T> = T extends { readonly id: number } ? Omit<T, "id"> : never;

/** Many programs may start at a time. */
const ANSWER_MS = 60_000;

/** The echo programs of one mesh: orders go out with a number and come back answered; what arrives at applications is kept in order. */
export class EchoPrograms {
  readonly #tell: (program: ProgramId, line: MeshProgramInput) => void;
  readonly #waiting = new Map<number, { readonly take: (said: Said) => void; readonly fail: (error: MeshError) => void }>();
  #arrivals: Arrival[] = [];
  #lastId = 0;
  #problem: MeshError | undefined;

  constructor(tell: (program: ProgramId, line: MeshProgramInput) => void) {
    this.#tell = tell;
  }

  receive(line: unknown): void {
    const said = line as Said;
    if (said.kind === "arrival") this.#arrivals.push(said.arrival);
    else if ("id" in said && said.id !== undefined) {
      this.#waiting.get(said.id)?.take(said);
      this.#waiting.delete(said.id);
    } else if (said.kind === "error") this.fail(new MeshError("bug", `an echo program can't use a line: ${said.message}`));
  }

  /** Nothing more is to be expected. */
  fail(error: MeshError): void {
    this.#problem ??= error;
    for (const { fail } of this.#waiting.values()) fail(error);
    this.#waiting.clear();
  }

  /** @throws MeshError `io` where a port can't be opened. */
  async listen(program: ProgramId, ports: readonly EchoPort[]): Promise<void> {
    const said = await this.#ask(program, { kind: "listen", ports });
    if (said.kind !== "listening") throw unexpected(said);
    const [failed] = said.failed;
    if (failed === undefined) return;
    throw new MeshError("io", `an echo server can't listen on ${failed.address ?? "*"}:${failed.port}: ${failed.message}`);
  }

  async placeOutside(order: Pick<OutsideOrder, "addresses" | "names">): Promise<void> {
    const said = await this.#ask("outside", { kind: "place", ...order });
    if (said.kind !== "placed" || said.message !== undefined) throw unexpected(said);
  }

  async send(program: ProgramId, order: ClientOrder): Promise<ClientReport> {
    const said = await this.#ask(program, { kind: "send", order }, order.timeoutMs + ANSWER_MS);
    if (said.kind !== "report") throw unexpected(said);
    return said.report;
  }

  /** What has arrived since this was last asked, at any of these programs. */
  async takeArrivals(programs: readonly ProgramId[]): Promise<readonly Arrival[]> {
    await Promise.all(programs.map((program) => this.#ask(program, { kind: "flush" })));
    const arrivals = this.#arrivals;
    this.#arrivals = [];
    return arrivals;
  }

  #ask(program: ProgramId, order: Unnumbered<EchoInput | OutsideOrder>, withinMs = ANSWER_MS): Promise<Said> {
    if (this.#problem !== undefined) return Promise.reject(this.#problem);
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new MeshError("timeout", `an echo program doesn't answer "${order.kind}"`));
      }, withinMs);
      const done =
        <T>(settle: (value: T) => void) =>
        (value: T) => {
          clearTimeout(timer);
          settle(value);
        };
      this.#waiting.set(id, { take: done(resolve), fail: done(reject) });
      this.#tell(program, { ...order, id });
    });
  }
}

function unexpected(said: Said): MeshError {
  const why = "message" in said ? said.message : `it said "${said.kind}"`;
  return new MeshError("io", `an echo program can't do what it was told: ${why}`);
}
