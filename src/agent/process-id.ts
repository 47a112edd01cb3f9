import { readFileSync } from "node:fs";

/** A process for ever: its number may be given out again, but not with the same start time. */
export interface ProcessId {
  readonly pid: number;
  /** Clock ticks since boot (proc(5), `stat` field 22); `unknown` where there is no /proc. */
  readonly startTime: string;
}

/** Undefined where no such process runs; a zombie does not run. */
export function findProcess(pid: number): ProcessId | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const startTime = fields[19];
    return fields[0] === "Z" || startTime === undefined ? undefined : { pid, startTime };
  } catch {
    return process.platform !== "linux" && answersSignal(pid) ? { pid, startTime: "unknown" } : undefined;
  }
}

export function isAlive(id: ProcessId): boolean {
  return findProcess(id.pid)?.startTime === id.startTime;
}

/** Sends a signal, unless the number belongs to another process by now. */
export function signalProcess(id: ProcessId, signal: "SIGTERM" | "SIGKILL"): void {
  if (!isAlive(id)) return;
  try {
    process.kill(id.pid, signal);
  } catch {
    // It ended in between.
  }
}

export function isProcessId(value: unknown): value is ProcessId {
  if (typeof value !== "object" || value === null) return false;
  const { pid, startTime } = value as Record<string, unknown>;
  return Number.isInteger(pid) && (pid as number) > 1 && typeof startTime === "string";
}

function answersSignal(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
