import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { ask } from "../../src/controlplane/admin-client.ts";
import { placesOf, readEnvironment } from "../../src/controlplane/config.ts";
import { freePort } from "../../src/testing/free-port.ts";
import { KUMIKO, kumiko, readTree } from "./harness/mesh.ts";
import { type Footprint, footprintOf, remains } from "./harness/traces.ts";
import { waitFor } from "./harness/wait.ts";

const MANIFESTS = `apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: legacy, namespace: shop }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: gateway-1, namespace: shop }
spec: { address: 10.9.0.1, serviceAccount: gateway, labels: { istio: ingressgateway } }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: thief-1, namespace: shop }
spec: { address: 10.9.0.2, serviceAccount: thief, labels: { app: thief } }
`;

interface Running {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly ended: Promise<number | null>;
  stop(): Promise<number | null>;
}

let base: string;
let server: Running;
let port: number;

function run(args: readonly string[], cwd: string): Running {
  const child = spawn(KUMIKO, [...args], { cwd, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (part: Buffer) => (output += part.toString()));
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  return { child, output: () => output, ended, stop: () => (child.kill("SIGTERM"), ended) };
}

function folder(name: string): string {
  const path = join(base, name);
  mkdirSync(path, { recursive: true });
  return path;
}

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), "kumiko-join-"));
  const dir = folder("control-plane");
  mkdirSync(join(dir, "manifests"));
  writeFileSync(join(dir, "manifests/shop.yaml"), MANIFESTS);
  port = await freePort();
  server = run(["serve", "manifests", "--dev", "--listen", `127.0.0.1:${port}`], dir);
  await waitFor("the control plane is ready", () => server.output().includes("admin API"), { explain: () => server.output() });
});

afterAll(async () => {
  await server?.stop();
  rmSync(base, { recursive: true, force: true });
});

/** For a workload that no file declares. */
async function createToken(name: string, serviceAccount = "legacy"): Promise<string> {
  const described = ["--service-account", serviceAccount, "--address", "127.0.0.1"];
  return await createTokenFor(name, ...((await isDeclared(name)) ? [] : described));
}

async function isDeclared(name: string): Promise<boolean> {
  const { stdout } = await kumiko(["get", "workloadentries", "-n", "shop", "-o", "name"], join(base, "control-plane"));
  return stdout.split("\n").some((line) => line.endsWith(`/${name}`));
}

async function createTokenFor(name: string, ...more: readonly string[]): Promise<string> {
  const { stdout } = await kumiko(["join-token", "create", "-n", "shop", "--name", name, ...more], join(base, "control-plane"));
  return stdout.trim();
}

/** An agent with folders of its own, as on a machine that shares nothing with the control plane but a way over TCP. */
function startAgent(
  machine: string,
  options: { readonly token?: string; readonly serviceAccount?: string; readonly name?: string; readonly more?: readonly string[] } = {},
) {
  const dir = folder(machine);
  const { token, serviceAccount = "legacy", name = machine, more = [] } = options;
  const tokenFile = join(dir, "token");
  if (token !== undefined) writeFileSync(tokenFile, token, { mode: 0o600 });
  const running = run(
    [
      ...["agent", "--control-plane", `127.0.0.1:${port}`, "-n", "shop", "--name", name, "--service-account", serviceAccount],
      ...["--address", "127.0.0.1", "--capture", "none", ...(token === undefined ? [] : ["--join-token-file", tokenFile]), ...more],
    ],
    dir,
  );
  onTestFinished(() => void running.stop());
  const { agentSocket, run: runDir, state } = placesOf(dir, readEnvironment(process.env));
  return {
    ...running,
    runDir,
    state,
    status: () => statusOf(agentSocket),
    footprint: () => footprintOf([running.child.pid ?? 0], [dir, runDir]),
  };
}

interface AgentStatus {
  readonly ready: boolean;
  readonly connected: boolean;
  readonly lastError?: string;
  readonly certificate: { readonly identity: string; readonly notBefore?: string };
}

async function statusOf(agentSocket: string): Promise<AgentStatus | undefined> {
  const { body } = await ask(agentSocket, "/proxies");
  return (body as { readonly items: readonly AgentStatus[] }).items[0];
}

async function proxiesOfControlPlane(): Promise<
  readonly { readonly name: string; readonly identity: string; readonly config: { readonly kind: string } }[]
> {
  const { stdout } = await kumiko(["status", "-o", "json"], join(base, "control-plane"));
  return (JSON.parse(stdout) as { proxies: Awaited<ReturnType<typeof proxiesOfControlPlane>> }).proxies;
}

test("a token admits an agent over mTLS: its proxy becomes ready, and status shows it; stopped and started again it needs no token", async () => {
  const token = await createToken("legacy-1");
  const first = startAgent("legacy-1", { token });
  await waitFor("its proxy is ready", async () => (await first.status())?.ready === true, { explain: first.output });
  const identity = "spiffe://cluster.local/ns/shop/sa/legacy";
  expect((await first.status())?.certificate.identity).toBe(identity);
  await waitFor("the control plane shows it", async () =>
    (await proxiesOfControlPlane()).some(
      (proxy) => proxy.name === "legacy-1" && proxy.identity === identity && proxy.config.kind === "acknowledged",
    ),
  );
  expect(first.output() + server.output() + readTree(first.state)).not.toContain(token);
  const footprint: Footprint = first.footprint();
  expect(footprint.processes.some(({ command }) => command.includes("bootstrap.json"))).toBe(true);
  expect(await first.stop()).toBe(0);
  expect(await remains(footprint)).toEqual([]);

  const second = startAgent("legacy-1");
  await waitFor("its proxy is ready again", async () => (await second.status())?.ready === true, { explain: second.output });
  await second.stop();
});

const REFUSED: readonly { what: string; token: (name: string) => Promise<string>; why: RegExp }[] = [
  {
    what: "that was used",
    token: async () => {
      const token = await createToken("first-user");
      const other = startAgent("first-user", { token });
      await waitFor("the first is ready", async () => (await other.status())?.ready === true, { explain: other.output });
      await other.stop();
      return token;
    },
    why: /signs nothing/,
  },
  {
    what: "with another secret",
    token: async (name) => (await createToken(name)).replace(/\.[\w-]{43}\./, `.${"A".repeat(43)}.`),
    why: /signs nothing/,
  },
  {
    what: "with another root",
    token: async (name) => (await createToken(name)).replace(/[0-9a-f]{64}$/, "0".repeat(64)),
    why: /root that the join token names/,
  },
  { what: "of another service account", token: (name) => createToken(name, "other"), why: /sa\/other/ },
];

test.each(REFUSED)("a token $what is refused: no certificate, no proxy", async ({ what, token, why }) => {
  const name = `machine-${what.replaceAll(/\W+/g, "-")}`;
  const text = await token(name);
  const agent = startAgent(name, { token: text });
  await waitFor("it says why", () => why.test(agent.output()), { explain: agent.output });
  const status = await agent.status();
  expect(status).toMatchObject({ ready: false, connected: false, lastError: expect.stringMatching(why) as string });
  expect(status?.certificate.notBefore).toBeUndefined();
  expect((await proxiesOfControlPlane()).map((proxy) => proxy.name)).not.toContain(name);
  expect(agent.footprint().processes.some(({ command }) => command.includes("bootstrap.json"))).toBe(false);
  expect(agent.output() + server.output()).not.toContain(text);
  expect(await agent.stop()).toBe(0);
  expect(existsSync(agent.runDir)).toBe(false);
});

test("what is no token at all is refused at once, without repeating it", async () => {
  const agent = startAgent("no-token", { token: "kumiko-join.secret" });
  expect(await agent.ended).toBe(2);
  expect(agent.output()).toMatch(/error: that is no join token\n {2}next: .*join-token create/);
  expect(agent.output()).not.toContain("secret");
  expect(existsSync(agent.runDir)).toBe(false);
});

test.each([
  {
    title: "names the gateway's workload",
    name: "gateway-1",
    more: ["--router"],
    why: /no Pod or WorkloadEntry shop\/gateway-1 runs as .*sa\/thief/,
  },
  { title: "says that it is a gateway", name: "thief-1", more: ["--router"], why: /thief-1 has a proxy of type sidecar/ },
])("a machine that $title, with a token of another account, gets no configuration", async ({ name, more, why }) => {
  const token = await createTokenFor("thief-1");
  const agent = startAgent(`thief-as-${name}`, { token, name, serviceAccount: "thief", more });
  await waitFor("it says why", async () => why.test((await agent.status())?.lastError ?? ""), { explain: agent.output });
  expect(await agent.status()).toMatchObject({ ready: false, connected: false });
  expect((await proxiesOfControlPlane()).map((proxy) => proxy.name)).not.toContain(name);
  await agent.stop();
});
