import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";

/** A process for ever: its number may be given out again, but not with the same start time. */
interface KnownProcess {
  readonly pid: number;
  readonly startTime: string;
  readonly command: string;
}

/** What a running mesh holds of the system, noted so that its absence can be shown later. */
export interface Footprint {
  readonly processes: readonly KnownProcess[];
  /** `net:[4026532281]` and the like, of the mesh alone. */
  readonly namespaces: ReadonlySet<string>;
  /** Folder and run folder: no process, mount or socket may name them when all is over. */
  readonly folders: readonly string[];
  readonly ports: readonly number[];
  /** Start time of the machine's newest process when this was noted. */
  readonly takenAt: number;
}

const NAMESPACES = ["net", "mnt", "pid", "user", "uts", "ipc"] as const;

/** All processes below these, and every namespace they are in that this test is not. */
export function footprintOf(roots: readonly number[], folders: readonly string[], ports: readonly number[] = []): Footprint {
  const children = childrenByParent();
  const pids = new Set<number>();
  const visit = (pid: number) => {
    if (pids.has(pid)) return;
    pids.add(pid);
    for (const child of children.get(pid) ?? []) visit(child);
  };
  for (const root of roots) visit(root);
  const own = new Set(NAMESPACES.map((kind) => namespaceOf(process.pid, kind)));
  const namespaces = new Set<string>();
  for (const pid of pids) {
    for (const kind of NAMESPACES) {
      const name = namespaceOf(pid, kind);
      if (name !== undefined && !own.has(name)) namespaces.add(name);
    }
  }
  const processes = [...pids].map((pid) => ({ pid, startTime: startTimeOf(pid), command: commandOf(pid) }));
  const takenAt = Math.max(...allPids().map((pid) => Number(startTimeOf(pid))));
  return { processes, namespaces, folders, ports, takenAt };
}

/**
 * Everything of the footprint that is still there, in words; empty when nothing is left. The kernel gives numbers of namespaces out again, so
 * that only a process that is older than the footprint is known to be in one of the mesh's; a younger one has to name the folder.
 */
export async function remains({ processes, namespaces, folders, ports, takenAt }: Footprint): Promise<readonly string[]> {
  const left: string[] = [];
  for (const { pid, startTime, command } of processes)
    if (startTime !== "" && startTimeOf(pid) === startTime) left.push(`process ${pid} ${command}`);
  for (const pid of allPids()) {
    if (pid === process.pid || !isRunning(pid)) continue;
    const isOlder = Number(startTimeOf(pid)) < takenAt;
    for (const kind of isOlder ? NAMESPACES : []) {
      const name = namespaceOf(pid, kind);
      if (name !== undefined && namespaces.has(name)) left.push(`namespace ${name} by process ${pid} ${commandOf(pid)}`);
    }
    const text = `${commandOf(pid)}\n${read(pid, "environ")}\n${linkOf(pid, "cwd")}`;
    if (folders.some((folder) => text.includes(folder))) left.push(`process ${pid} names the folder: ${commandOf(pid)}`);
    for (const line of read(pid, "mountinfo").split("\n"))
      if ([...folders, ...(isOlder ? namespaces : [])].some((name) => line.includes(name))) left.push(`mount of process ${pid}: ${line}`);
  }
  for (const line of readFileSync("/proc/net/unix", "utf8").split("\n"))
    if (folders.some((folder) => line.includes(folder))) left.push(`socket ${line}`);
  for (const port of ports) if (await isOpen(port)) left.push(`port ${port}`);
  return [...new Set(left)];
}

/** Processes below a root, by a part of their command line and, where one is given, of their environment. */
export function findProcesses(root: number, part: string | RegExp, environment = ""): readonly number[] {
  return footprintOf([root], []).processes.flatMap(({ pid, command }) => {
    const isMatch = typeof part === "string" ? command.includes(part) : part.test(command);
    return isMatch && read(pid, "environ").includes(environment) ? [pid] : [];
  });
}

export function isRunning(pid: number): boolean {
  return startTimeOf(pid) !== "";
}

export function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.once("connect", () => (socket.destroy(), resolve(true))).once("error", () => resolve(false));
  });
}

function childrenByParent(): ReadonlyMap<number, readonly number[]> {
  const children = new Map<number, number[]>();
  for (const pid of allPids()) {
    const parent = Number(statOf(pid)[1] ?? 0);
    children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  return children;
}

function allPids(): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** Fields of /proc/PID/stat from the state on; empty where there is no such process. */
function statOf(pid: number): readonly string[] {
  const stat = read(pid, "stat");
  return stat === "" ? [] : stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/** Empty for a process that is gone; a zombie is gone. */
function startTimeOf(pid: number): string {
  const fields = statOf(pid);
  return fields[0] === "Z" ? "" : (fields[19] ?? "");
}

function commandOf(pid: number): string {
  return read(pid, "cmdline").replaceAll("\0", " ").trim().slice(0, 2000);
}

function namespaceOf(pid: number, kind: string): string | undefined {
  const name = linkOf(pid, join("ns", kind));
  return name === "" ? undefined : name;
}

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

function linkOf(pid: number, name: string): string {
  try {
    return readlinkSync(`/proc/${pid}/${name}`);
  } catch {
    return "";
  }
}
