import { afterAll, beforeAll, expect, test } from "vitest";
import { ask } from "../../src/controlplane/admin-client.ts";
import { copyPlatform, type Platform } from "./harness/platform.ts";
import { findProcesses } from "./harness/traces.ts";
import { waitFor } from "./harness/wait.ts";

interface Program {
  readonly name: string;
  readonly ready: boolean;
  readonly restarts: number;
  readonly message: string;
}

let platform: Platform;

beforeAll(async () => {
  platform = await copyPlatform({ withTestWorkloads: false });
  await platform.start();
});

afterAll(async () => {
  await platform?.stop();
  platform?.remove();
});

async function status(): Promise<{ readonly code: number; readonly programs: readonly Program[] }> {
  const { code, stdout } = await platform.kumiko("status", "-o", "json");
  return { code, programs: (JSON.parse(stdout) as { host: { programs: readonly Program[] } }).host.programs };
}

async function programs(): Promise<readonly Program[]> {
  const { body } = await ask(`${platform.mesh().runDir}/admin.sock`, "/kumiko/v1/status");
  return (body as { host: { programs: readonly Program[] } }).host.programs;
}

const find = (all: readonly Program[], name: string) => all.find((program) => program.name === name);

/** A profile: by the gateway, a proxy, a service and the database. The token comes from the identity provider. */
async function signedUp(): Promise<number> {
  const token = await platform.token("alice");
  return (await platform.api("https://user.example.com/api/v1/users", { token, json: { displayName: "Alice" } })).status;
}

test("all of them are shown and ready, and status exits with 0", async () => {
  const { code, programs: all } = await status();
  expect(code).toBe(0);
  expect(all.map(({ name, ready, restarts }) => [name, ready, restarts])).toEqual([
    ["broker", true, 0],
    ["database", true, 0],
    ["edge", true, 0],
    ["identity-provider", true, 0],
  ]);
  expect([200, 201]).toContain(await signedUp());
});

test("an edge without a firewall says so, in the terminal and in status", async () => {
  const isWithout = platform.mesh().logs().includes("edge: ready without a firewall");
  const { stdout } = await platform.kumiko("status");
  for (const text of [platform.mesh().output(), stdout]) expect(text.includes("edge: no web application firewall")).toBe(isWithout);
});

test.each([
  { name: "database", process: /postgres(?=$| ).*-D|^\S*postgres -/ },
  { name: "broker", process: /^\S*nats-server / },
  { name: "identity-provider", process: /^node src\/identity-provider\/src\/main\.ts/ },
  { name: "edge", process: /^node src\/edge\/src\/main\.ts/ },
])(
  "$name is killed: status says so and exits with 1 until it is back, requests are answered again, and its log says why",
  async (killed) => {
    const { pid } = platform.mesh();
    expect(findProcesses(pid, killed.process).length).toBeGreaterThan(0);
    // Again and again: it comes back sooner than a command looks.
    await waitFor("status says so, and fails", async () => {
      for (const victim of findProcesses(pid, killed.process)) process.kill(victim, "SIGKILL");
      const { code, programs: seen } = await status();
      return code === 1 && find(seen, killed.name)?.ready === false;
    });
    await waitFor("it is ready again", async () => {
      const found = find(await programs(), killed.name);
      return found?.ready === true && found.restarts > 0;
    });
    await waitFor("a profile is made or found", async () => (await signedUp().catch(() => 0)) === 200);
    await waitFor("status is well", async () => (await status()).code === 0);
    expect(platform.mesh().output()).toMatch(new RegExp(`outside program ${killed.name}: .*; starts again in`));
    expect(platform.mesh().output()).toContain(`outside program ${killed.name} is ready again`);
    expect((await platform.kumiko("logs", `outside/${killed.name}`)).stdout).toMatch(/\[kumiko\] .*; starts again in/);
  },
);
