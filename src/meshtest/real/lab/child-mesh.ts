import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { MeshError } from "../../../model/error.ts";
import { getProgram } from "../../../runtime/program.ts";
import { runCommand } from "../../../runtime/run-command.ts";
import { commandLine } from "../../../base/shell.ts";
import { systemPath } from "../../../runtime/system-path.ts";
import type { LabChildSettings } from "./child.ts";
import { keepTail, onLines } from "./lines.ts";
import { HERE, meshScript, podLinks, podScript } from "./network.ts";
import type { LabReport, MeshPlan, MeshProgramInput, ProgramId } from "./protocol.ts";

/** How often Envoy writes out its access log. */
const LOG_FLUSH_MS = 10;
/** What an old listener still serves is not what a test asks for. */
const DRAIN_S = 0;

type Ended = Extract<LabReport, { readonly kind: "ended" }>;

/** One mesh within the child: its networks, its echo programs, its Envoys. */
export class ChildMesh {
  readonly #number: number;
  readonly #settings: LabChildSettings;
  readonly #write: (text: string) => void;
  readonly #programs = new Map<ProgramId, ChildProcess>();
  readonly #running = new Set<ChildProcess>();
  #proxies: readonly { readonly pod: number; readonly pid: number; readonly bootstrapFile: string }[] = [];
  #isClosed = false;

  constructor(number: number, settings: LabChildSettings, write: (text: string) => void) {
    this.#number = number;
    this.#settings = settings;
    this.#write = write;
  }

  /** Resolves when the network is there and the programs are started; whether they answer is for the parent to ask. @throws MeshError */
  async open(plan: MeshPlan): Promise<void> {
    const { selfCommand } = this.#settings;
    const attempts = ["--attempts", plan.attemptsFolder];
    const outsideCommand = [...selfCommand, "test-lab", "outside", ...attempts];
    const echoCommand = [...selfCommand, "test-echo", ...attempts];
    const outside = this.#startProgram("outside", meshScript(commandLine(outsideCommand)));
    const pods = plan.pods.map((pod, i) => this.#startProgram(i, podScript(pod, commandLine(echoCommand))));
    const [meshPid = 0, ...podPids] = await Promise.all([outside, ...pods]);
    await runIn(meshPid, ["ip", "-batch", "-"], podLinks(podPids));
    for (const program of this.#programs.values()) program.stdin?.write("go\n");
    this.#proxies = plan.pods.flatMap(({ bootstrapFile }, pod) =>
      bootstrapFile === undefined ? [] : [{ pod, pid: podPids[pod] ?? 0, bootstrapFile }],
    );
  }

  startProxies(): void {
    for (const { pod, pid, bootstrapFile } of this.#proxies) this.#startEnvoy(pod, pid, bootstrapFile);
  }

  tell(program: ProgramId, line: MeshProgramInput): void {
    this.#programs.get(program)?.stdin?.write(`${JSON.stringify(line)}\n`);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const ends = [...this.#running].map((child) => once(child, "close"));
    for (const child of this.#running) child.kill("SIGKILL");
    await Promise.all(ends);
  }

  /** Gives the pid by which its network namespace is known, as soon as it is in one. */
  #startProgram(id: ProgramId, script: string): Promise<number> {
    const env = { ...process.env, NODE_COMPILE_CACHE: this.#settings.compileCacheDir };
    const child = this.#spawn("echo program", id, [getProgram("unshare"), "--net", "--", getProgram("sh"), "-c", script], env);
    this.#programs.set(id, child);
    return new Promise((resolve, reject) => {
      const head = `{"kind":"said","mesh":${this.#number},"program":${JSON.stringify(id)},"line":`;
      let isHere = false;
      if (child.stdout !== null) {
        onLines(child.stdout, (line) => {
          if (isHere) return this.#write(`${head}${line}}\n`);
          isHere = line === HERE;
          if (isHere) resolve(child.pid ?? 0);
        });
      }
      child.once("close", () => reject(new MeshError("io", "the network of a pod can't be made")));
    });
  }

  #startEnvoy(pod: number, pid: number, bootstrapFile: string): void {
    const options = ["--config-path", bootstrapFile, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"];
    const times = ["--file-flush-interval-msec", `${LOG_FLUSH_MS}`, "--drain-time-s", `${DRAIN_S}`, "--drain-strategy", "immediate"];
    const child = this.#spawn("Envoy", pod, [...enter(pid), this.#settings.envoyPath, ...options, ...times], {});
    const head = `{"kind":"log","mesh":${this.#number},"pod":${pod},"line":`;
    if (child.stdout !== null) onLines(child.stdout, (line) => this.#write(`${head}${line}}\n`));
  }

  #spawn(what: Ended["what"], id: ProgramId, [program = "", ...args]: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
    const child = spawn(program, args, { env: { ...env, PATH: systemPath() }, stdio: "pipe", cwd: "/" });
    this.#running.add(child);
    const tail = keepTail(child.stderr);
    const ended = (how: string) => {
      if (!this.#running.delete(child) || this.#isClosed) return;
      const report: Ended = { kind: "ended", mesh: this.#number, what, program: id, how: [how, tail()].filter(Boolean).join(": ") };
      this.#write(`${JSON.stringify(report)}\n`);
    };
    child.stdin.on("error", () => {});
    child.once("error", (error) => ended(error.message));
    child.once("close", (code, signal) => ended(signal ?? `exit code ${code}`));
    return child;
  }
}

function enter(pid: number): readonly string[] {
  return [getProgram("nsenter"), `--net=/proc/${pid}/ns/net`, "--"];
}

function runIn(pid: number, [program = "", ...args]: readonly string[], input: string): Promise<void> {
  return runCommand("nsenter", [`--net=/proc/${pid}/ns/net`, "--", getProgram(program), ...args], input);
}
