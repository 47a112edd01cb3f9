import type { HostState } from "../admin/index.ts";
import type { ProgramStatus } from "../model/program-status.ts";
import { ask } from "./admin-client.ts";
import type { Progress } from "./progress.ts";

const RETRY_MS = 300;

/** Tells the control plane, and a person at the terminal, how it stands with what runs beside the mesh on this machine. */
export class HostReport {
  readonly #adminSocket: string;
  readonly #progress: Pick<Progress, "mended" | "warn">;
  #state: HostState = { programs: [], weaker: [] };
  readonly #faulty = new Set<string>();
  #isSent = true;
  #isSending = false;
  #isClosed = false;

  constructor(adminSocket: string, progress: Pick<Progress, "mended" | "warn">) {
    this.#adminSocket = adminSocket;
    this.#progress = progress;
  }

  setWeaker(weaker: readonly string[]): void {
    this.#state = { ...this.#state, weaker };
    this.send();
  }

  setProgram(program: ProgramStatus): void {
    const { programs } = this.#state;
    this.#tell(
      programs.find(({ name }) => name === program.name),
      program,
    );
    const others = programs.filter(({ name }) => name !== program.name);
    this.#state = { ...this.#state, programs: [...others, program].toSorted((a, b) => (a.name < b.name ? -1 : 1)) };
    this.send();
  }

  /** Sends it (again): something has changed, or the control plane has started anew and knows nothing. */
  send(): void {
    this.#isSent = false;
    if (!this.#isSending) void this.#sendAll();
  }

  close(): void {
    this.#isClosed = true;
  }

  /** A fault is one line, however often the program ends meanwhile, and one line when it is mended. */
  #tell(before: ProgramStatus | undefined, { name, ready, message, weaker }: ProgramStatus): void {
    if (before?.ready === true && !ready) {
      this.#faulty.add(name);
      this.#progress.warn(`outside program ${name}: ${message} (kumiko logs outside/${name})`);
    }
    if (ready && this.#faulty.delete(name)) this.#progress.mended(`outside program ${name} is ready again`);
    for (const line of weaker) if (!before?.weaker.includes(line)) this.#progress.warn(`${name}: ${line}`);
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    while (!this.#isSent && !this.#isClosed) {
      this.#isSent = true;
      const answer = await ask(this.#adminSocket, "/kumiko/v1/host", { method: "POST", body: this.#state }).catch(() => undefined);
      if (answer?.status === 200) continue;
      this.#isSent = false;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
    }
    this.#isSending = false;
  }
}
