import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { MeshError } from "../model/error.ts";
import { type Places, readRunRecord, type RunRecord } from "./config.ts";

/**
 * When a process started, in clock ticks since boot (proc(5), field 22 of `stat`): with the pid it names one process for ever, so that a
 * number that was given out again is never signalled. Empty where there is no such process; the pid alone counts where there is no /proc.
 */
export function startTimeOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? "" : (fields[19] ?? "");
  } catch {
    return process.platform === "linux" || !answersSignal(pid) ? "" : "unknown";
  }
}

export function isRunning(record: Pick<RunRecord, "pid" | "startTime">): boolean {
  const startTime = startTimeOf(record.pid);
  return startTime !== "" && startTime === record.startTime;
}

function answersSignal(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/**
 * Makes a folder that only its owner can enter, and refuses one that belongs to somebody else: in a shared /tmp another user could have put
 * it there first.
 */
export function makePrivateFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw cannotMake(folder, cause);
  }
  const { uid } = statSync(folder);
  const own = process.getuid?.();
  if (own !== undefined && uid !== own) {
    throw new MeshError("io", `${folder} belongs to user ${uid}, not to you`, {
      help: `remove it, or set XDG_RUNTIME_DIR to a folder of your own`,
    });
  }
  chmodSync(folder, 0o700);
}

/** Where a folder above is somebody else's, as `/tmp/kumiko-UID` may be, it is named. */
function cannotMake(folder: string, cause: unknown): MeshError {
  const isRefused = ["EACCES", "EPERM"].includes((cause as NodeJS.ErrnoException).code ?? "");
  const foreign = isRefused ? foreignAbove(dirname(folder)) : undefined;
  const reason = foreign === undefined ? "" : `: ${foreign.path} belongs to user ${foreign.uid}, not to you`;
  return new MeshError("io", `can't make ${folder}${reason}`, { help: "remove it, or set XDG_RUNTIME_DIR to a folder of your own", cause });
}

function foreignAbove(folder: string): { readonly path: string; readonly uid: number } | undefined {
  try {
    const { uid } = statSync(folder);
    return uid === process.getuid?.() ? undefined : { path: folder, uid };
  } catch {
    // Not there, or within what we may not look into: what it lies in decides.
    return folder === dirname(folder) ? undefined : foreignAbove(dirname(folder));
  }
}

/** Writes so that a reader sees the old or the new text, never a part. */
export function writeAtomically(file: string, text: string, mode = 0o600): void {
  const next = `${file}.${process.pid}.new`;
  writeFileSync(next, text, { mode });
  renameSync(next, file);
}

/** Says that this process runs the mesh of a folder. @throws MeshError `usage` while another one does. */
export function claimRun(file: string, record: RunRecord): void {
  const before = readRunRecord(file);
  if (before !== undefined && isRunning(before)) {
    throw new MeshError("usage", `this mesh is already running (process ${before.pid})`, { help: "kumiko status, or kumiko down" });
  }
  makePrivateFolder(dirname(file));
  writeAtomically(file, `${JSON.stringify(record, undefined, 2)}\n`);
}

/** Takes back the claim of this process, and removes the folder of its sockets. */
export function releaseRun({ runFile, run }: Pick<Places, "runFile" | "run">): void {
  if (readRunRecord(runFile)?.pid !== process.pid) return;
  rmSync(run, { recursive: true, force: true });
  rmSync(runFile, { force: true });
}

/** Sends a signal to the recorded process, and waits for its end. Returns false where it was not running. */
export async function stopRun(record: RunRecord, options: { readonly graceMs: number }): Promise<boolean> {
  if (!isRunning(record)) return false;
  process.kill(record.pid, "SIGTERM");
  const deadline = performance.now() + options.graceMs;
  while (isRunning(record)) {
    if (performance.now() > deadline) {
      process.kill(record.pid, "SIGKILL");
      return true;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return true;
}
