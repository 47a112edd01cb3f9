import { type ChildProcess, spawn } from "node:child_process";
import type { LookupFunction } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { MeshError } from "../model/error.ts";
import { type FilterWay, withFilter, writeFilter } from "./filter-way.ts";
import type { KumikoSettings } from "./kumiko-yaml.ts";
import { LogFile } from "./log-file.ts";
import { toBaseEnv } from "./machine.ts";
import { type MachineEvent, type MachineOrder, parseLine } from "./machine-events.ts";
import { HOST_SOCKET, MACHINE_SOCKET } from "./machine-protocol.ts";
import { RELAY_RANGE } from "./network.ts";
import type { ProgramStatus } from "../model/program-status.ts";
import { type OutsideProgramOptions, refuseTaken, type RunningProgram, startOutsideProgram } from "./outside-program.ts";
import { lookupOutside } from "./outside-lookup.ts";
import { findRealAddress, type OutsideHost, toOutsideTable } from "./outside-table.ts";
import { readChildren, sendSignal } from "./proc.ts";
import { getProgram } from "./program.ts";
import { dialFromSocket, type Endpoint, forwardToSocket, type Target } from "./relay.ts";
import type { Subscribe } from "./resources.ts";
import { RUN_MARK } from "./run-mark.ts";
import { commandLine } from "../base/shell.ts";
import type { RuntimeMode } from "./system-check.ts";
import { syscallFilter } from "./syscall-filter.ts";
import { systemPath } from "./system-path.ts";
import { unlessAborted } from "./unless-aborted.ts";

export interface HostOptions {
  readonly mode: RuntimeMode;
  /** In mode `namespaces`: how the machine, and with it all that it runs, gets its filter of system calls; undefined: it has none. */
  readonly filterWay?: FilterWay;
  readonly runDir: string;
  readonly stateDir: string;
  /** Folder of `kumiko.yaml`. */
  readonly folder: string;
  readonly settings: KumikoSettings;
  /** Command of the process that calls `startMachine`; its standard input and output must be left to it. */
  readonly machineCommand: readonly string[];
  /** ServiceEntries among the resources say what the relay may dial. */
  readonly subscribe: Subscribe;
  /** Ends the start, where it goes on still. */
  readonly signal?: AbortSignal;
  readonly onEvent: (event: MachineEvent) => void;
  /** An outside program became ready, ended, came back. */
  readonly onOutside: (state: ProgramStatus) => void;
  /** The machine ended although nobody asked it to. */
  readonly onEnd: (how: string) => void;
}

export interface Host {
  /** The machine's workloads begin when this resolves; outside programs are ready by then. */
  readonly started: Promise<void>;
  /** Tells control plane and agent of every pod again. */
  refresh(): void;
  /**
   * Drains and ends the workloads, then the machine, then the outside programs. A machine of which nothing is heard for `graceMs` is killed; one
   * that says that it waits for its workloads isn't, until the signal.
   */
  stop(options: { readonly graceMs: number; readonly atOnce?: AbortSignal }): Promise<void>;
}

const OUTSIDE_GRACE_MS = 10_000;

/**
 * The part of the runtime that stays on the host: it starts the outside programs and the machine, dials outside hosts for it, and listens on
 * published ports. @throws MeshError where a port is taken or a program doesn't become ready; what was started is ended then.
 */
export async function startHost(options: HostOptions): Promise<Host> {
  const ends: Endpoint[] = [];
  const programs: RunningProgram[] = [];
  let table: readonly OutsideHost[] = [];
  const unsubscribe = options.subscribe((resources) => {
    table = toOutsideTable(resources, RELAY_RANGE);
  });
  const closeAll = async (atOnce?: AbortSignal) => {
    unsubscribe();
    await Promise.all(ends.map((end) => end.close()));
    const stopAll = (graceMs: number) => Promise.all(programs.map((program) => program.stop(graceMs)));
    const hurry = () => void stopAll(0);
    atOnce?.addEventListener("abort", hurry);
    await stopAll(atOnce?.aborted === true ? 0 : OUTSIDE_GRACE_MS);
    atOnce?.removeEventListener("abort", hurry);
  };
  const lookup = lookupOutside((name) =>
    options.onEvent({
      kind: "error",
      message: `outside host ${name} leads to this machine itself: connections to it are refused`,
      help: `if that is meant, add hosts: { ${name}: 127.0.0.1 } to kumiko.yaml`,
    }),
  );
  try {
    ends.push(
      await dialFromSocket(join(options.runDir, HOST_SOCKET), (hello) =>
        hello.kind === "relay" ? toTarget(hello, findRealAddress(table, options.settings.hosts, hello), lookup) : undefined,
      ),
    );
    for (const published of options.settings.publish) {
      const { namespace, deployment, port, hostAddress, hostPort } = published;
      // Without namespaces the gateway's proxy listens on the host by itself.
      if (options.mode === "ports" && port === hostPort) continue;
      const hello = { kind: "publish", namespace, deployment, port } as const;
      ends.push(await forwardToSocket({ host: hostAddress, port: hostPort }, join(options.runDir, MACHINE_SOCKET), hello));
    }
    await Promise.all(Object.entries(options.settings.outside).map(([name, program]) => refuseTaken(name, program)));
    programs.push(...Object.keys(options.settings.outside).map((name) => startOutside(name, options)));
    await unlessAborted(Promise.all(programs.map(({ ready }) => ready)), options.signal);
  } catch (thrown) {
    await closeAll();
    throw thrown;
  }
  return toHost(startMachineProcess(options), options, closeAll);
}

/** What `hosts` maps is meant as it stands; every other name has to be outside. */
function toTarget(asked: Target, real: Target | undefined, lookup: LookupFunction): Target | undefined {
  return real === asked ? { host: asked.host, port: asked.port, lookup } : real;
}

function startOutside(name: string, { settings, folder, runDir, stateDir, mode, onOutside }: HostOptions): RunningProgram {
  const program = settings.outside[name] as OutsideProgramOptions["program"];
  const running = startOutsideProgram({
    name,
    program,
    folder,
    env: { ...toBaseEnv(process.env), ...(mode === "ports" && { [RUN_MARK]: runDir }) },
    log: new LogFile(join(stateDir, "logs", "outside", `${name}.log`)),
    contained: mode === "namespaces",
    weakerFile: join(runDir, `${name}.weaker`),
    onChange: onOutside,
  });
  // It is awaited with the others; one that fails meanwhile is no unhandled rejection.
  running.ready.catch(() => {});
  return running;
}

/** Options of `unshare` for a world of one's own; its first process ends with `unshare`, and everything in it with that. */
export const NAMESPACES: readonly string[] = [
  "--user",
  "--map-root-user",
  "--net",
  "--mount",
  "--pid",
  "--fork",
  "--kill-child",
  "--mount-proc",
];

function startMachineProcess(options: HostOptions): ChildProcess {
  const env = { ...process.env, PATH: systemPath(process.env["PATH"]) };
  // A pipe as its input, held open by us alone: it ends with us, however we end.
  const stdio = ["pipe", "pipe", "inherit"] as const;
  const [program = "", ...args] = options.machineCommand;
  if (options.mode === "ports") return spawn(program, args, { env, stdio: [...stdio], detached: true });
  // The shell is the namespace's first process: it reaps what others leave behind, which Node doesn't, and ends with the machine.
  const script = `exec 3<&0; ${commandLine(options.machineCommand)} <&3 3<&- & exec 3<&-; wait $!`;
  const first = filtered([getProgram("sh"), "-c", script], options);
  return spawn(getProgram("unshare"), [...NAMESPACES, "--", ...first], { env, stdio: [...stdio], detached: true });
}

/** A filter goes with every process to its children: set once, it costs no Pod anything, and nothing in the namespaces is without it. */
function filtered(command: readonly string[], { filterWay, runDir }: HostOptions): readonly string[] {
  const filter = syscallFilter();
  if (filterWay === undefined || filter === undefined) return command;
  return withFilter(filterWay, filter, writeFilter(runDir, filter), command);
}

function toHost(machine: ChildProcess, options: HostOptions, closeAll: (atOnce?: AbortSignal) => Promise<void>): Host {
  let isStopping = false;
  let heard = () => {};
  const exited = new Promise<string>((resolve) => {
    machine.once("error", (error) => resolve(error.message));
    machine.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  const order = (line: MachineOrder) => void machine.stdin?.write(`${JSON.stringify(line)}\n`);
  machine.stdin?.on("error", () => {});
  const started = new Promise<void>((resolve, reject) => {
    if (machine.stdout !== null) {
      createInterface(machine.stdout).on("line", (line) => {
        const event = parseLine<MachineEvent>(line);
        if (event?.kind === "started") resolve();
        if (event !== undefined) options.onEvent(event);
        heard();
      });
    }
    void exited.then((how) => {
      reject(new MeshError("io", `the machine ended before it was ready: ${how}`, { help: "kumiko up --verbose" }));
      if (!isStopping) options.onEnd(how);
    });
  });
  started.catch(() => {});
  return {
    started,
    refresh: () => order({ kind: "refresh" }),
    async stop({ graceMs, atOnce }) {
      isStopping = true;
      order({ kind: "stop" });
      const kill = () => killMachine(machine, options.mode);
      const timer = setTimeout(kill, graceMs);
      heard = () => void timer.refresh();
      if (atOnce?.aborted === true) kill();
      atOnce?.addEventListener("abort", kill);
      await exited;
      atOnce?.removeEventListener("abort", kill);
      clearTimeout(timer);
      await closeAll(atOnce);
    },
  };
}

/** The end of the first process is the end of the namespaces and everything in them; `unshare` ends after it. */
function killMachine(machine: ChildProcess, mode: RuntimeMode): void {
  const [first] = mode === "namespaces" ? readChildren(machine.pid ?? 0) : [];
  if (first === undefined) machine.kill("SIGKILL");
  else sendSignal(first, "SIGKILL");
}
