import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { NAMESPACES } from "../../../runtime/host.ts";
import { getProgram } from "../../../runtime/program.ts";
import { systemPath } from "../../../runtime/system-path.ts";
import type { LabChildSettings } from "./child.ts";
import { keepTail, onLines } from "./lines.ts";
import type { LabOrder, LabReport } from "./protocol.ts";

const GRACE_MS = 3000;

/** The child in its namespaces, as its parent sees it. */
export class LabProcess {
  readonly #process: ChildProcess;
  readonly #listeners = new Map<number, (report: LabReport) => void>();
  /** How it ended, when it has. */
  readonly ended: Promise<string>;
  #isClosing = false;

  /** `command` runs `runLabChild`. */
  constructor(command: readonly string[], settings: LabChildSettings) {
    const env = { ...process.env, PATH: systemPath() };
    // Its input is a pipe that we alone hold: it ends with us, however we end. In a session of its own no key of the terminal reaches it.
    this.#process = spawn(getProgram("unshare"), [...NAMESPACES, "--", ...command], { env, stdio: "pipe", detached: true, cwd: "/" });
    const { stdin, stdout, stderr } = this.#process;
    const tail = stderr === null ? () => "" : keepTail(stderr);
    stdin?.on("error", () => {});
    stdin?.write(`${JSON.stringify(settings)}\n`);
    if (stdout !== null) onLines(stdout, (line) => this.#receive(line));
    this.ended = Promise.race([
      once(this.#process, "error").then(([error]) => (error as Error).message),
      once(this.#process, "close").then(([code, signal]) => [signal ?? `exit code ${code}`, tail()].filter(Boolean).join(": ")),
    ]);
    void this.ended.then((how) => this.#tellAll(how));
  }

  order(order: LabOrder): void {
    this.#process.stdin?.write(`${JSON.stringify(order)}\n`);
  }

  /** What concerns one mesh from now on. */
  listen(mesh: number, take: (report: LabReport) => void): void {
    this.#listeners.set(mesh, take);
  }

  forget(mesh: number): void {
    this.#listeners.delete(mesh);
  }

  /** Ends everything in its namespaces; resolves when that is so. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#process.stdin?.end();
    const killer = setTimeout(() => this.#process.kill("SIGKILL"), GRACE_MS);
    await this.ended;
    clearTimeout(killer);
  }

  #receive(text: string): void {
    const report = parseReport(text);
    if (report !== undefined) this.#listeners.get(report.mesh)?.(report);
  }

  #tellAll(how: string): void {
    if (this.#isClosing) return;
    for (const [mesh, take] of this.#listeners) take({ kind: "failed", mesh, message: `the lab ended: ${how}` });
  }
}

/** What a program writes that is no JSON, passed on as it came, makes the whole line none. */
function parseReport(text: string): LabReport | undefined {
  try {
    return JSON.parse(text) as LabReport;
  } catch {
    return undefined;
  }
}
