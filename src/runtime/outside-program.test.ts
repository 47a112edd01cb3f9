import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { OutsideProgram } from "./kumiko-yaml.ts";
import { LogFile } from "./log-file.ts";
import { refuseTaken, type RunningProgram, startOutsideProgram } from "./outside-program.ts";
import { checkSystem } from "./system-check.ts";
import { systemPath } from "./system-path.ts";
import { freePort } from "../testing/free-port.ts";

let folder: string;
let ends: string[];
const running: RunningProgram[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kumiko-outside-"));
  ends = [];
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
      onEnd: (how) => ends.push(how),
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
    expect(ends).toEqual([]);
  });

  test("that ends before it is ready says so, and where to look", async () => {
    const program = start("echo no; exit 3", { ready: "tcp:127.0.0.1:1" });
    await expect(program.ready).rejects.toMatchObject({
      code: "io",
      message: "db ended before it was ready: exit code 3",
      help: "kumiko logs outside/db",
    });
    expect(ends).toEqual(["exit code 3"]);
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

function connected(port: number, host = "127.0.0.1"): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host, () => {
      socket.destroy();
      resolve();
    });
    socket.once("error", reject);
  });
}

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
