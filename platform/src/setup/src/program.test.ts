import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { afterEach, describe, expect, test, vi } from "vitest";
import { canConnect, type Program, type ProgramOptions, startProgram, untilReady, withoutRoot } from "./program.ts";
import { freePort } from "./testing.ts";

const LONG_MS = 30_000;
const started: Program[] = [];

afterEach(async () => {
  for (const program of started) if (program.isRunning()) program.kill();
  await Promise.all(started.splice(0).map((program) => program.ended));
  vi.unstubAllEnvs();
});

function start(over: Partial<ProgramOptions>): Program {
  const program = startProgram({ program: process.execPath, args: [], stopSignal: "SIGTERM", log: () => undefined, ...over });
  started.push(program);
  return program;
}

const startScript = (script: string, over: Partial<ProgramOptions> = {}) => start({ args: ["-e", script], ...over });
const untilItSays = (program: Program, text: string) => untilReady(program, async () => program.output().includes(text), LONG_MS);
const STAYS = "setInterval(() => {}, 1000); console.log('up');";

describe("a program", () => {
  test("passes on all that it prints, and keeps the last of it", async () => {
    const heard: string[] = [];
    const program = startScript("process.stdout.write('a'.repeat(5000), () => process.stderr.write('the end'))", {
      log: (text) => heard.push(text),
    });
    expect(await program.ended).toBe(0);
    expect(heard.join("")).toBe(`${"a".repeat(5_000)}the end`);
    expect(program.output()).toBe(`${"a".repeat(3_993)}the end`);
  });

  test.each([
    { how: "with its exit code", script: "process.exit(7)", expected: 7 },
    {
      how: "with the signal that ended it",
      script: "process.kill(process.pid, 'SIGKILL'); setInterval(() => {}, 1000)",
      expected: "SIGKILL",
    },
  ])("ends $how", async ({ script, expected }) => {
    const program = startScript(script);
    expect(await program.ended).toBe(expected);
    expect(program.isRunning()).toBe(false);
  });

  test.each(["SIGTERM", "SIGINT"] as const)("is told to stop by %s, and waited for", async (stopSignal) => {
    const program = startScript(`process.on('${stopSignal}', () => { console.log('told'); process.exit(3); }); ${STAYS}`, { stopSignal });
    expect(await untilItSays(program, "up")).toBe("ready");
    await program.stop();
    expect([program.output(), program.isRunning(), await program.ended]).toEqual(["up\ntold\n", false, 3]);
  });

  test("that has ended is stopped at once", async () => {
    const program = startScript("");
    await program.ended;
    await expect(program.stop()).resolves.toBeUndefined();
  });

  test("that does not listen is killed", async () => {
    const program = startScript(`process.on('SIGTERM', () => {}); ${STAYS}`);
    await untilItSays(program, "up");
    program.kill();
    expect(await program.ended).toBe("SIGKILL");
  });

  test("that is not there has ended, and says what is missing", async () => {
    const program = start({ program: "/nowhere/program" });
    expect(await program.ended).not.toBe(0);
    expect(program.output()).toContain("/nowhere/program");
    expect(await untilReady(program, async () => true, LONG_MS)).toBe("ended");
  });

  test("after a prefix that is not there has ended, too", async () => {
    const program = start({ prefix: ["/nowhere/prefix"] });
    expect(await program.ended).toBeLessThan(0);
    expect(program.output()).toBe("/nowhere/prefix: spawn /nowhere/prefix ENOENT\n");
  });

  test("sees of the environment what it is given, PATH and UTC", async () => {
    vi.stubEnv("SECRET_OF_THE_PARENT", "1");
    const program = startScript("console.log(process.env)", { env: { LC_ALL: "C" } });
    await program.ended;
    expect(program.output()).toContain("LC_ALL: 'C'");
    expect(program.output()).toContain("TZ: 'UTC'");
    expect(program.output()).toContain("PATH: ");
    expect(program.output()).not.toContain("SECRET_OF_THE_PARENT");
  });

  test.skipIf(process.platform !== "linux" || !existsSync("/usr/bin/setpriv"))(
    "stops when its parent is killed without a word",
    async () => {
      const port = await freePort();
      const listener = `require('node:net').createServer().listen(${port}, '127.0.0.1')`;
      const parent = spawn(process.execPath, ["--input-type=module", "-e", toParent(listener)], { stdio: ["ignore", "pipe", "inherit"] });
      const [pid] = (await once(parent.stdout.setEncoding("utf8"), "data")) as [string];
      try {
        await vi.waitFor(async () => expect(await canConnect(port)).toBe(true), { timeout: LONG_MS });
        parent.kill("SIGKILL");
        await vi.waitFor(async () => expect(await canConnect(port)).toBe(false), { timeout: LONG_MS });
      } finally {
        killIfThere(Number(pid));
        parent.kill("SIGKILL");
      }
    },
  );
});

/** A process that starts a script as a program and prints its number. */
function toParent(script: string): string {
  const options = { program: process.execPath, args: ["-e", script], stopSignal: "SIGINT" };
  return `import { startProgram } from ${JSON.stringify(new URL("program.ts", import.meta.url).href)};
    console.log(startProgram({ ...${JSON.stringify(options)}, log() {} }).pid);`;
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It is gone, as it should be.
  }
}

describe("untilReady", () => {
  const running = { isRunning: () => true };

  test("looks until the program does its work", async () => {
    const answers = [false, false, true];
    expect(await untilReady(running, async () => answers.shift() ?? false, LONG_MS)).toBe("ready");
    expect(answers).toEqual([]);
  });

  test("says when the program ended first, though something else answers in its place", async () => {
    expect(await untilReady({ isRunning: () => false }, async () => true, LONG_MS)).toBe("ended");
    let isRunning = true;
    const look = async () => {
      isRunning = false;
      return true;
    };
    expect(await untilReady({ isRunning: () => isRunning }, look, LONG_MS)).toBe("ended");
  });

  test("says when it is late", async () => {
    expect(await untilReady(running, async () => false, 0)).toBe("late");
  });

  test("throws what the look throws", async () => {
    await expect(untilReady(running, () => Promise.reject(new Error("wrong password")), LONG_MS)).rejects.toThrow("wrong password");
  });
});

describe("withoutRoot", () => {
  const hasNamespaces = spawnSync("unshare", ["--user", "true"], { stdio: "ignore" }).status === 0;

  test("writes nothing before an ordinary user's program", () => {
    expect(withoutRoot("it is not run as root", 1_000)).toEqual([]);
  });

  test.runIf(hasNamespaces)("lets root's program run as nobody", async () => {
    const program = start({ prefix: withoutRoot("it is not run as root", 0), program: "id", args: ["-u"] });
    expect([await program.ended, program.output()]).toEqual([0, "65534\n"]);
  });

  test("refuses where there are no namespaces", () => {
    vi.stubEnv("PATH", "/nowhere");
    const message = "it is not run as root, and this machine forbids user namespaces: run as an ordinary user";
    expect(() => withoutRoot("it is not run as root", 0)).toThrow(message);
  });
});

test("a port takes connections or does not", async () => {
  const port = await freePort();
  expect(await canConnect(port)).toBe(false);
  const script = `require('node:net').createServer().listen(${port}, '127.0.0.1')`;
  expect(await untilReady(startScript(script), () => canConnect(port), LONG_MS)).toBe("ready");
});
