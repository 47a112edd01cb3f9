import { type ChildProcess, spawn } from "node:child_process";
import { globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findEnvoy } from "../../src/agent/index.ts";
import { ask } from "../../src/controlplane/admin-client.ts";
import { placesOf, readEnvironment } from "../../src/controlplane/config.ts";
import { freePort } from "../../src/testing/free-port.ts";
import { KUMIKO, kumiko } from "./harness/mesh.ts";
import { waitFor } from "./harness/wait.ts";

/** Debian's package faketime; it moves the wall clock of one process and its children, and leaves the monotonic clock alone. */
const [LIBRARY] = globSync("/usr/lib/*/faketime/libfaketimeMT.so.1");

const lacking = LIBRARY === undefined && process.env["CI"] === undefined;

let base: string;
let port: number;
let children: ChildProcess[];

beforeEach(async () => {
  base = mkdtempSync(join(tmpdir(), "kumiko-clock-"));
  mkdirSync(join(base, "plane/manifests"), { recursive: true });
  writeFileSync(join(base, "plane/manifests/shop.yaml"), "apiVersion: v1\nkind: Namespace\nmetadata: { name: shop }\n");
  // Envoy doesn't start with the library: it keeps the real clock.
  const environment = readEnvironment(process.env);
  const { path } = await findEnvoy({
    ...(environment.envoy !== undefined && { explicit: environment.envoy }),
    cacheDir: environment.cacheDir,
  });
  writeFileSync(join(base, "envoy"), `#!/bin/sh\nunset LD_PRELOAD\nexec '${path}' "$@"\n`, { mode: 0o755 });
  port = await freePort();
  children = [];
});

afterEach(async () => {
  for (const child of children.toReversed()) {
    if (child.exitCode !== null) continue;
    const ended = new Promise((resolve) => child.once("close", resolve));
    child.kill("SIGTERM");
    await ended;
  }
  rmSync(base, { recursive: true, force: true });
});

/** A file that says how far the clock of who is started with it is off; it counts from the moment that it is written. */
function clock(name: string): { readonly file: string; set(offset: string): void } {
  const file = join(base, name);
  const set = (offset: string) => writeFileSync(file, `${offset}\n`);
  set("+0");
  return { file, set };
}

function start(args: readonly string[], dir: string, clockFile?: string): { readonly output: () => string } {
  mkdirSync(join(base, dir), { recursive: true });
  const faked = { LD_PRELOAD: LIBRARY, FAKETIME_TIMESTAMP_FILE: clockFile, FAKETIME_NO_CACHE: "1", FAKETIME_DONT_FAKE_MONOTONIC: "1" };
  const env = { ...process.env, KUMIKO_ENVOY: join(base, "envoy"), ...(clockFile !== undefined && faked) };
  const child = spawn(KUMIKO, [...args], { cwd: join(base, dir), stdio: ["ignore", "pipe", "pipe"], env });
  children.push(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (part: Buffer) => (output += part.toString()));
  return { output: () => output };
}

async function startControlPlane(clockFile: string): Promise<void> {
  const { output } = start(["serve", "manifests", "--dev", "--listen", `127.0.0.1:${port}`], "plane", clockFile);
  await waitFor("the control plane is ready", () => output().includes("admin API"), { explain: output });
}

async function startAgent(name: string, clockFile?: string) {
  const { stdout } = await kumiko(["join-token", "create", "-n", "shop", "--name", name, "--address", "127.0.0.1"], join(base, "plane"));
  mkdirSync(join(base, name));
  writeFileSync(join(base, name, "token"), stdout, { mode: 0o600 });
  const where = ["--control-plane", `127.0.0.1:${port}`, "--join-token-file", "token"];
  const { output } = start(
    ["agent", ...where, "-n", "shop", "--name", name, "--address", "127.0.0.1", "--capture", "none"],
    name,
    clockFile,
  );
  const { agentSocket } = placesOf(join(base, name), readEnvironment(process.env));
  const status = async () => {
    try {
      const { body } = await ask(agentSocket, "/proxies");
      return (body as { readonly items: readonly AgentStatus[] }).items[0];
    } catch {
      return undefined;
    }
  };
  const ready = () => waitFor(`${name} is ready`, async () => (await status())?.ready === true, { explain: output });
  return { output, status, ready };
}

interface AgentStatus {
  readonly ready: boolean;
  readonly connected: boolean;
  readonly lastError?: string;
  readonly certificate: { readonly notAfter?: string };
}

describe.skipIf(lacking)(`a clock that is wrong${lacking ? " (skipped: faketime is not installed)" : ""}`, () => {
  test.each(["+300", "-300"])("by %s seconds on the control plane's machine stops no join", async (offset) => {
    const plane = clock("plane.clock");
    plane.set(offset);
    await startControlPlane(plane.file);
    const agent = await startAgent("legacy-1");
    await agent.ready();
    expect((await agent.status())?.connected).toBe(true);
  });

  test("by an hour stops a join and says so; when it is right again the same token joins, without a restart", async () => {
    const plane = clock("plane.clock");
    await startControlPlane(plane.file);
    const before = await startAgent("before-1");
    await before.ready();
    const during = await startAgent("during-1");
    await during.ready();
    plane.set("+3600");
    const late = await startAgent("late-1");
    await waitFor("the agent says why", async () => (await late.status())?.lastError?.includes("not valid yet"), { explain: late.output });
    expect((await before.status())?.ready).toBe(true);
    plane.set("+0");
    await late.ready();
    for (const agent of [before, during]) await waitFor("it is connected", async () => (await agent.status())?.connected === true);
  });

  test("of the whole machine, that goes an hour on and comes back: what has ended meanwhile is good again, without a restart", async () => {
    const machine = clock("machine.clock");
    await startControlPlane(machine.file);
    const agent = await startAgent("legacy-1", machine.file);
    await agent.ready();
    machine.set("+3700");
    await waitFor("its certificate has ended", async () => (await agent.status())?.ready === false, { explain: agent.output });
    machine.set("+0");
    await agent.ready();
    await (await startAgent("legacy-2", machine.file)).ready();
  });
});
