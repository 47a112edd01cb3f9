import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { runProgram } from "./run-program.ts";

const run = (script: string, timeoutMs?: number) => runProgram("/bin/sh", ["-c", script], "/", timeoutMs);

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test("a program that hangs ends, and with it what it has started", async () => {
  const folder = await mkdtemp(join(tmpdir(), "kumiko-run-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "pid");
  expect(await run(`sleep 600 & echo $! > ${file}; wait`, 1000)).toEqual({ failure: "it took more than 1 s", mayPass: true });
  const pid = Number(await readFile(file, "utf8"));
  await vi.waitFor(() => expect(isRunning(pid)).toBe(false), { timeout: 10_000 });
});

test("what it prints, and how it fails", async () => {
  expect(await run("printf ü; echo w >&2")).toEqual({ output: "ü" });
  expect(await run("echo said >&2; exit 3")).toEqual({ failure: "said\n".trim() });
  expect(await run("exit 3")).toEqual({ failure: "sh ended with code 3" });
  expect(await run("kill -9 $$")).toEqual({ failure: "sh ended by SIGKILL", mayPass: true });
  expect(await run("head -c 20000000 /dev/zero >&2")).toEqual({ failure: "it printed more than 16 MiB" });
  expect(await runProgram("/nonexistent/program", [], "/")).toMatchObject({ mayPass: true });
  expect(await runProgram("/bin/sh", ["\0"], "/")).toMatchObject({ mayPass: true });
});
