import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../testing/until.ts";
import { type Supervised, supervise } from "./supervise.ts";

let folder: string;
let running: Supervised | undefined;
const ends: { readonly how: string; readonly againInMs: number }[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kumiko-supervise-"));
  ends.length = 0;
});
afterEach(async () => {
  await running?.stop(0);
  rmSync(folder, { recursive: true, force: true });
});

function start(script: string): Supervised {
  running = supervise({
    name: "test",
    command: [process.execPath, "-e", script],
    env: {},
    logFile: join(folder, "log"),
    socket: join(folder, "socket"),
    onEnd: (how, againInMs) => ends.push({ how, againInMs }),
  });
  return running;
}

test("a process that is killed starts again, under another pid", async () => {
  const child = start("setInterval(() => {}, 1000)");
  const pid = child.pid() ?? 0;
  process.kill(pid, "SIGKILL");
  await until("it starts again", () => ![undefined, pid].includes(child.pid()));
  expect(ends).toEqual([{ how: "SIGKILL", againInMs: 200 }]);
});

test("one that always ends at once is waited for longer and longer", async () => {
  start("process.exit(3)");
  await until("it ended three times", () => ends.length === 3);
  expect(ends.map(({ againInMs }) => againInMs)).toEqual([200, 400, 800]);
  expect(ends[0]?.how).toBe("exit code 3");
});

test("a program that is not there is reported, not thrown", async () => {
  running = supervise({
    name: "x",
    command: [join(folder, "nothing")],
    env: {},
    logFile: join(folder, "log"),
    socket: join(folder, "socket"),
    onEnd: (how, againInMs) => ends.push({ how, againInMs }),
  });
  await until("it is reported", () => ends.length > 0);
  expect(ends[0]?.how).toContain("ENOENT");
});

test("stop ends it for good, also one that does not listen", async () => {
  const child = start("process.on('SIGTERM', () => {}); console.log('up'); setInterval(() => {}, 1000)");
  await until("it runs", () => readFileSync(join(folder, "log"), "utf8").includes("up"));
  await child.stop(1);
  expect(child.pid()).toBeUndefined();
  expect(ends).toEqual([]);
});

test("one that is retired runs on, and doesn't start again when it ends", async () => {
  const child = start("console.log('up'); setInterval(() => {}, 1000)");
  await until("it runs", () => readFileSync(join(folder, "log"), "utf8").includes("up"));
  child.retire();
  const pid = child.pid() ?? 0;
  process.kill(pid, "SIGKILL");
  await until("it has ended", () => child.pid() === undefined);
  expect(ends).toEqual([]);
});

test("a signal to our process group doesn't reach it", async () => {
  const child = start("console.log('up'); setInterval(() => {}, 1000)");
  await until("it runs", () => readFileSync(join(folder, "log"), "utf8").includes("up"));
  const groupOf = (pid: number) => readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ")[2];
  expect(groupOf(child.pid() ?? 0)).not.toBe(groupOf(process.pid));
});

test("stop doesn't wait for its grace period where the person doesn't", async () => {
  const child = start("process.on('SIGTERM', () => {}); console.log('up'); setInterval(() => {}, 1000)");
  await until("it runs", () => readFileSync(join(folder, "log"), "utf8").includes("up"));
  const impatience = new AbortController();
  const stopped = child.stop(1_000_000, impatience.signal);
  impatience.abort();
  await stopped;
  expect(child.pid()).toBeUndefined();
});

test("the log of one that says much stays within a bound", async () => {
  const log = join(folder, "log");
  start("console.log('x'.repeat(11_000_000)); setInterval(() => {}, 1000)");
  await until("it is cut", () => existsSync(`${log}.1`) && statSync(log).size === 0);
  expect(statSync(`${log}.1`).size).toBeGreaterThanOrEqual(10_000_000);
});

test("the log is for its owner only", async () => {
  start("console.log('up'); setInterval(() => {}, 1000)");
  await until("it runs", () => readFileSync(join(folder, "log"), "utf8").includes("up"));
  expect(statSync(join(folder, "log")).mode & 0o777).toBe(0o600);
});
