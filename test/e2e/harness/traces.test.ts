import { spawn } from "node:child_process";
import { readlinkSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { footprintOf, isRunning, remains } from "./traces.ts";

const ended: (() => void)[] = [];
afterEach(() => ended.splice(0).forEach((end) => end()));

describe("what remains of a mesh", () => {
  it("is a process that was noted and still runs", async () => {
    const child = sleepInNamespaces();
    const namespaces = new Set([await ownNamespace(child)]);
    // Its start time has the kernel's ticks of 10 ms: this one may be as old as the footprint.
    const footprint = { ...footprintOf([child], []), namespaces, takenAt: Infinity };
    const left = await remains(footprint);
    expect(left).toContainEqual(expect.stringContaining(`process ${child} `));
    expect(left).toContainEqual(expect.stringMatching(/^namespace ipc:.* by process/));
  });

  it("is not a stranger's process that came later, in a namespace whose number has been given out again", async () => {
    const before = footprintOf([], []);
    const stranger = sleepInNamespaces();
    const namespaces = new Set([await ownNamespace(stranger)]);
    expect(await remains({ ...before, namespaces })).toEqual([]);
  });
});

/** A process in an IPC namespace of its own, and in its own user namespace where that takes one. */
function sleepInNamespaces(): number {
  const child = spawn("unshare", ["--user", "--map-root-user", "--ipc", "sleep", "600"], { stdio: "ignore" });
  ended.push(() => child.kill("SIGKILL"));
  return child.pid ?? 0;
}

async function ownNamespace(pid: number): Promise<string> {
  for (;;) {
    if (!isRunning(pid)) throw new Error("the process is gone");
    const name = readlinkSync(`/proc/${pid}/ns/ipc`);
    if (name !== readlinkSync("/proc/self/ns/ipc")) return name;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
