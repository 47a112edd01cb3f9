import { spawn, spawnSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RunRecord } from "./config.ts";
import { claimRun, isRunning, makePrivateFolder, releaseRun, startTimeOf, stopRun } from "./lifecycle.ts";

let folder: string;
const record = (pid: number, startTime = startTimeOf(pid)): RunRecord => ({
  pid,
  startTime,
  root: folder,
  adminSocket: "a",
  agentSocket: "b",
  command: "up",
});

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kumiko-lifecycle-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("a claim on a folder", () => {
  test("is refused while the process that made it runs, with the command that ends it", () => {
    const file = join(folder, "run.json");
    claimRun(file, record(process.pid));
    expect(() => claimRun(file, record(process.pid))).toThrow(
      expect.objectContaining({ code: "usage", help: expect.stringContaining("kumiko down") }),
    );
  });

  test.each([
    { title: "ended", text: () => JSON.stringify(record(2 ** 22 - 1, "1")) },
    { title: "ended, and whose number another process has now", text: () => JSON.stringify(record(process.pid, "1")) },
    { title: "left a torn record", text: () => '{"pid": 1, "sta' },
  ])("is taken over from a process that $title", async ({ text }) => {
    const file = join(folder, "run.json");
    const { writeFileSync } = await import("node:fs");
    writeFileSync(file, text());
    claimRun(file, record(process.pid));
    expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ pid: process.pid });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const run = join(folder, "run");
    makePrivateFolder(run);
    releaseRun({ runFile: file, run });
    expect([existsSync(file), existsSync(run)]).toEqual([false, false]);
  });
});

describe("stopRun", () => {
  test.each([
    {
      title: "that listens to SIGTERM",
      script: "process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1000); console.log('up')",
      graceMs: 10_000,
    },
    {
      title: "that does not listen",
      script: "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('up')",
      graceMs: 1,
    },
  ])("ends a process $title", async ({ script, graceMs }) => {
    const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "ignore"] });
    await new Promise((resolve) => child.stdout.once("data", resolve));
    const gone = new Promise((resolve) => child.once("exit", resolve));
    const running = record(child.pid ?? 0);
    expect(isRunning(running)).toBe(true);
    expect(await stopRun(running, { graceMs })).toBe(true);
    await gone;
    expect(await stopRun(running, { graceMs })).toBe(false);
  });
});

test("a private folder is 0700 whatever it was", () => {
  chmodSync(folder, 0o755);
  makePrivateFolder(folder);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
});

test.runIf(process.getuid?.() === 0)("a folder that can't be made within somebody else's says whose it is", () => {
  const foreign = join(folder, "foreign");
  mkdirSync(foreign, { mode: 0o700 });
  chownSync(foreign, 4711, 4711);
  const script = `import { makePrivateFolder } from ${JSON.stringify(new URL("lifecycle.ts", import.meta.url).href)};
    process.setgid(4712); process.setuid(4712);
    try { makePrivateFolder(${JSON.stringify(join(foreign, "a/b"))}); } catch (error) { console.log(error.code, error.message, error.help); }`;
  chmodSync(folder, 0o755);
  const { stdout } = spawnSync(process.execPath, ["--input-type=module-typescript", "-e", script], { encoding: "utf8" });
  expect(stdout).toContain(`io can't make ${join(foreign, "a/b")}: ${foreign} belongs to user 4711, not to you`);
  expect(stdout).toContain("XDG_RUNTIME_DIR");
});
