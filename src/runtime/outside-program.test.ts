import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { OutsideProgram } from "./kumiko-yaml.ts";
import { LogFile } from "./log-file.ts";
import type { ProgramStatus } from "../model/program-status.ts";
import { readWeaker, refuseTaken, type RunningProgram, startOutsideProgram } from "./outside-program.ts";
import { checkSystem } from "./system-check.ts";
import { systemPath } from "./system-path.ts";
import { freePort } from "../testing/free-port.ts";
import { until } from "../testing/until.ts";

let folder: string;
let states: ProgramStatus[];
const running: RunningProgram[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kumiko-outside-"));
  states = [];
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((program) => program.stop(0)));
  rmSync(folder, { recursive: true, force: true });
});

const system = checkSystem();
const containments = system.mode === "namespaces" && system.missing.length === 0 ? [false, true] : [false];

describe.each(containments)("an outside program (in a PID namespace of its own: %s)", (contained) => {
  const start = (script: string, over: Partial<OutsideProgram> = {}) => {
    const program = startOutsideProgram({
      name: "db",
      program: { command: ["sh", "-c", script], workingDir: ".", env: {}, ready: undefined, readyTimeoutMs: 10_000, ...over },
      folder,
      env: { PATH: systemPath() },
      log: new LogFile(join(folder, "db.log")),
      contained,
      weakerFile: join(folder, "db.weaker"),
      onChange: (state) => states.push(state),
    });
    running.push(program);
    return program;
  };
  const log = () => readFileSync(join(folder, "db.log"), "utf8");

  test("is ready when its port answers, runs in its folder, and is told to end", async () => {
    const port = await freePort();
    const listen = `python3 -c 'import socket,signal,sys
signal.signal(signal.SIGTERM, lambda *_: (print("told", flush=True), sys.exit(0)))
s = socket.create_server(("127.0.0.1", ${port}))
while True: s.accept()'`;
    const program = start(`pwd; exec ${listen}`, { ready: `tcp:127.0.0.1:${port}` });
    await program.ready;
    await program.stop(10_000);
    expect(log()).toBe(`${folder}\ntold\n`);
    expect(states).toEqual([{ name: "db", ready: true, restarts: 0, message: "", weaker: [] }]);
  });

  test("that ends before it is ready says so, and where to look", async () => {
    const program = start("echo no; exit 3", { ready: "tcp:127.0.0.1:1" });
    await expect(program.ready).rejects.toMatchObject({
      code: "io",
      message: "db ended before it was ready: exit code 3",
      help: "kumiko logs outside/db",
    });
    expect(states).toEqual([]);
  });

  test("that is killed afterwards is said not to be ready, starts again, and is ready when it answers again", async () => {
    const port = await freePort();
    const listen = `exec python3 -c 'import os,socket
print("pid", os.getpid(), flush=True)
s = socket.create_server(("127.0.0.1", ${port}))
while True: s.accept()'`;
    const program = start(listen, { ready: `tcp:127.0.0.1:${port}` });
    await program.ready;
    killListener(port);
    await until("it is ready again", () => states.at(-1)?.restarts === 1 && states.at(-1)?.ready);
    expect(states.map(({ ready, restarts }) => [ready, restarts])).toEqual([
      [true, 0],
      [false, 0],
      [false, 1],
      [true, 1],
    ]);
    expect(log()).toMatch(/pid[^]*\[kumiko\] .*; starts again in 0\.2 s\n[^]*pid/);
    await connected(port);
  });

  test("that runs on but answers no more is said not to be ready, until it answers again", async () => {
    const port = await freePort();
    const script = `while true; do [ -e off ] || timeout 1 python3 -c 'import os,socket
s = socket.create_server(("127.0.0.1", ${port}))
s.settimeout(0.1)
while not os.path.exists("off"):
  try: s.accept()
  except TimeoutError: pass'; done`;
    const program = start(script, { ready: `tcp:127.0.0.1:${port}` });
    await program.ready;
    writeFileSync(join(folder, "off"), "");
    await until("it is not ready", () => states.at(-1)?.ready === false);
    expect(states.at(-1)).toMatchObject({ restarts: 0, message: `it doesn't answer at tcp:127.0.0.1:${port}` });
    rmSync(join(folder, "off"));
    await until("it is ready", () => states.at(-1)?.ready);
  });

  test("that ends again and again waits longer each time, and goes on trying", async () => {
    start("exit 3");
    await until("it has started three times again", () => states.at(-1)?.restarts === 3);
    expect([...log().matchAll(/starts again in ([\d.]+) s/g)].map(([, seconds]) => Number(seconds)).slice(0, 3)).toEqual([0.2, 0.4, 0.8]);
  });

  test("says what is weaker in a file of its own", async () => {
    start('printf "no firewall\\033[31m\\n\\nno backups\\n" > "$KUMIKO_WEAKER"; exec sleep 60');
    await until("it is said", () => states.at(-1)?.weaker.length);
    expect(states.at(-1)?.weaker).toEqual(["no firewall[31m", "no backups"]);
  });

  test("that is never ready is given up after its time", async () => {
    const program = start("exec sleep 60", { ready: "http://127.0.0.1:1/", readyTimeoutMs: 300 });
    await expect(program.ready).rejects.toMatchObject({ code: "timeout" });
  });

  test("that ignores SIGTERM is killed after the grace period, its children too", async () => {
    // An address of this test's own: nobody else takes the port when it is free again.
    const [host, port] = [`127.77.${(process.pid >> 8) & 255}.${process.pid & 255}`, await freePort()];
    const child = `python3 -c 'import socket
s = socket.create_server(("${host}", ${port}))
while True: s.accept()'`;
    const program = start(`trap '' TERM; ${child} & wait`, { ready: `tcp:${host}:${port}` });
    await program.ready;
    await program.stop(200);
    await expect(connected(port, host)).rejects.toThrow(/ECONNREFUSED/);
  });

  test("whose program doesn't exist is an error, not a crash", async () => {
    const program = start("", { command: ["/does/not/exist"], ready: "tcp:127.0.0.1:1" });
    await expect(program.ready).rejects.toMatchObject({ code: "io" });
  });
});

/** Ends the process that listens there, whoever its parents are. */
function killListener(port: number): void {
  const [, pid] = /pid=(\d+)/.exec(execFileSync("ss", ["-Hltnp", `sport = :${port}`], { encoding: "utf8" })) ?? [];
  process.kill(Number(pid), "SIGKILL");
}

function connected(port: number, host = "127.0.0.1"): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host, () => {
      socket.destroy();
      resolve();
    });
    socket.once("error", reject);
  });
}

test("what a program says is weaker is read as far as a few words go, whatever stands in the place of the file", () => {
  const at = (name: string) => join(folder, name);
  expect(readWeaker(at("nothing"))).toEqual([]);
  expect(readWeaker(folder)).toEqual([]);
  execFileSync("mkfifo", [at("pipe")]);
  expect(readWeaker(at("pipe"))).toEqual([]);
  writeFileSync(at("long"), `no firewall\n${"x".repeat(1_000_000)}`);
  expect(readWeaker(at("long"))).toEqual(["no firewall", "x".repeat(4096 - "no firewall\n".length)]);
});

test("a program is not started where something else answers already", async () => {
  const port = await freePort();
  const stranger = createServer().listen(port, "127.0.0.1");
  await once(stranger, "listening");
  await expect(refuseTaken("db", { ready: `tcp:127.0.0.1:${port}` })).rejects.toMatchObject({
    message: `something else answers at 127.0.0.1:${port}, where db is to`,
  });
  await new Promise((closed) => stranger.close(closed));
  await refuseTaken("db", { ready: `tcp:127.0.0.1:${port}` });
});
