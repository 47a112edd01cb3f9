import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { RUN_MARK } from "../runtime/run-mark.ts";
import type { Places } from "./config.ts";
import { startTimeOf } from "./lifecycle.ts";

/** The rest of a mesh ends by itself when its first process is gone; what needs longer than this is ended. */
const PATIENCE_MS = 10_000;
const KILLED_MS = 3000;
const LOOK_AGAIN_MS = 50;

/**
 * Waits until no process is left of a mesh whose first process is gone: those of ours end by themselves and end what they have started; what
 * they can't end any more is ended here.
 */
export async function endLeftovers({ run, state }: Pick<Places, "run" | "state">): Promise<void> {
  await waitWhile(() => findOwn(run).length > 0, PATIENCE_MS);
  for (const pid of findLeftovers(run, state)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended in between, or it is another user's.
    }
  }
  await waitWhile(() => findLeftovers(run, state).length > 0, KILLED_MS);
}

async function waitWhile(condition: () => boolean, forMs: number): Promise<void> {
  const deadline = performance.now() + forMs;
  while (condition() && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
}

/** Control plane, machine and agent: they run on files of the run folder. */
function findOwn(run: string): readonly number[] {
  const handedOver = ["serve.json", "machine.json", "agent.json"].map((name) => join(run, name));
  return runningPids().filter((pid) => handedOver.some((file) => read(pid, "cmdline").includes(file)));
}

/**
 * Those, its Envoys, and whatever has the mark of the mesh in its environment: workloads and outside programs where no namespace ends them. Who
 * merely reads or works in these folders is none of them. Empty where there is no /proc.
 */
function findLeftovers(run: string, state: string): readonly number[] {
  const bootstraps = join(state, "agent", "proxies");
  const mark = `${RUN_MARK}=${run}`;
  const others = runningPids().filter((pid) => {
    const isEnvoy = read(pid, "cmdline")
      .split("\0")
      .some((word) => word.startsWith(bootstraps) && word.endsWith("bootstrap.json"));
    return isEnvoy || read(pid, "environ").split("\0").includes(mark);
  });
  return [...findOwn(run), ...others];
}

function runningPids(): readonly number[] {
  try {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => pid !== process.pid && startTimeOf(pid) !== "");
  } catch {
    return [];
  }
}

/** Empty for a process that is gone or another user's. */
function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}
