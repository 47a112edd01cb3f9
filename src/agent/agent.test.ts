import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { spawn } from "node:child_process";
import { type AddressInfo, connect, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { isDeepStrictEqual } from "node:util";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { JsonObject } from "@bufbuild/protobuf";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { authenticateLocalAgent, openAuthority, registerCa } from "../ca/index.ts";
import { type FakeResources, registerFakeAds } from "../testing/fake-ads.ts";
import { mtlsClient, mtlsServer } from "../testing/mtls-proxies.ts";
import { until } from "../testing/until.ts";
import { type Agent, startAgent } from "./agent.ts";
import { defaultCacheDir, findEnvoy } from "./envoy-binary.ts";
import { findProcess } from "./process-id.ts";
import type { ProxySpec } from "./proxy-spec.ts";
import { requestOverSocket } from "./unix-http.ts";
import type { ProxyStatus } from "./workload-proxy.ts";
import { freePort } from "../testing/free-port.ts";

const TRUST_DOMAIN = "mesh.test";
const id = (serviceAccount: string) => `spiffe://${TRUST_DOMAIN}/ns/shop/sa/${serviceAccount}`;

let envoyPath: string;
const cleanups: (() => Promise<void> | void)[] = [];

beforeAll(async () => {
  const found = await findEnvoy({ explicit: process.env["KUMIKO_ENVOY"], cacheDir: defaultCacheDir(process.env) });
  envoyPath = found.path;
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

function spec(name: string): ProxySpec {
  return {
    namespace: "shop",
    name,
    serviceAccount: name,
    addresses: ["10.244.0.7"],
    type: "sidecar",
    capture: "none",
    labels: { app: name },
    cluster: "Kubernetes",
    network: "",
    locality: "",
    localPorts: {},
    localAddresses: {},
    outsidePorts: {},
    dnsCapture: false,
    launch: [],
  };
}

async function startMachine(maxTtlMs = 3_600_000) {
  const dir = mkdtempSync(join(tmpdir(), "kagent-"));
  cleanups.push(() => rmSync(dir, { recursive: true, force: true }));
  const authority = await openAuthority({ dir: join(dir, "ca"), trustDomain: TRUST_DOMAIN, dev: true, maxTtlMs });
  const server = new Server();
  registerCa(server, { authority, authenticate: authenticateLocalAgent(TRUST_DOMAIN) });
  const resources: Record<string, FakeResources> = {};
  const metadata = new Map<string, JsonObject | undefined>();
  registerFakeAds(server, ({ id: nodeId, metadata: told }) => {
    const proxy = nodeId.split("~")[2] ?? "";
    metadata.set(proxy, told);
    return resources[proxy] ?? {};
  });
  const socket = join(dir, "cp.sock");
  await new Promise<void>((resolve) => server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), () => resolve()));
  cleanups.push(() => server.forceShutdown());
  return { dir, socket, server, resources, metadata };
}

type Machine = Awaited<ReturnType<typeof startMachine>>;

async function startTestAgent(machine: Machine, resources: Readonly<Record<string, FakeResources>>, generation = ""): Promise<Agent> {
  Object.assign(machine.resources, resources);
  const agent = await startAgent({
    generation,
    runDir: join(machine.dir, "run"),
    stateDir: join(machine.dir, "state"),
    controlPlane: { socket: machine.socket },
    trustDomain: TRUST_DOMAIN,
    envoyPath,
  });
  cleanups.push(() => agent.close({ stopProxies: true }));
  return agent;
}

const statusOf = (agent: Agent, name: string) => agent.proxies.list().find((status) => status.name === name);

async function startPair(machine: Machine, allowed = id("client"), expected = id("server")) {
  const [serverPort, clientPort] = [await freePort(), await freePort()];
  const resources = { "server.shop": mtlsServer(serverPort, allowed), "client.shop": mtlsClient(clientPort, serverPort, expected) };
  const agent = await startTestAgent(machine, resources);
  await agent.proxies.put(spec("server"));
  await agent.proxies.put(spec("client"));
  await until("both ready", () => agent.proxies.list().every(({ ready }) => ready));
  return { agent, clientPort, serverPort };
}

/** A proxy whose requests are under way until its upstream, which takes connections and says nothing, is given up after 2 s. */
async function startHeldUp() {
  const silent = createServer((socket) => void socket.on("error", () => {}));
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => void silent.close());
  const port = await freePort();
  const upstream = (silent.address() as AddressInfo).port;
  const agent = await startTestAgent(await startMachine(), { "client.shop": mtlsClient(port, upstream, id("server")) });
  await agent.proxies.put({ ...spec("client"), type: "router" });
  await until("ready", () => statusOf(agent, "client")?.ready);
  return { agent, port };
}

describe("an agent with real Envoys", () => {
  test("two Envoys speak mTLS with certificates that their agent had signed, and each sees the other's identity", async () => {
    const { clientPort } = await startPair(await startMachine());
    const response = await fetch(`http://127.0.0.1:${clientPort}/`);
    expect(response.status).toBe(200);
    expect(response.headers.get("x-peer")).toBe(id("client"));
  });

  test("secure naming holds on both sides: a peer with another identity gets no answer", async () => {
    const wrongServer = await startPair(await startMachine(), id("client"), id("somebody"));
    expect((await fetch(`http://127.0.0.1:${wrongServer.clientPort}/`)).status).toBe(503);
    const wrongClient = await startPair(await startMachine(), id("somebody"), id("server"));
    expect((await fetch(`http://127.0.0.1:${wrongClient.clientPort}/`)).status).toBe(503);
  });

  test("an Envoy that is killed comes back by itself", async () => {
    const { agent, clientPort } = await startPair(await startMachine());
    const pid = statusOf(agent, "server")?.envoy.pid ?? 0;
    process.kill(pid, "SIGKILL");
    await until("a new Envoy is ready", () => statusOf(agent, "server")?.ready === true && statusOf(agent, "server")?.envoy.pid !== pid);
    expect((await fetch(`http://127.0.0.1:${clientPort}/`)).status).toBe(200);
    expect(statusOf(agent, "server")?.envoy.restarts).toBe(1);
  });

  test("an agent that is killed leaves its Envoy answering; the next agent adopts it and needs no new key", async () => {
    const machine = await startMachine();
    const port = await freePort();
    machine.resources["client.shop"] = mtlsClient(port, 1, id("server"));
    const child = startAgentProcess(machine);
    const socket = join(machine.dir, "run", "agent.sock");
    // Its file is there a moment before anybody listens.
    await until("the agent listens", () =>
      requestOverSocket(socket, "/proxies").then(
        () => true,
        () => false,
      ),
    );
    const first = await until("Envoy is ready", async () => {
      const { items } = JSON.parse((await requestOverSocket(socket, "/proxies")).body.toString()) as { items: ProxyStatus[] };
      return items[0]?.ready === true ? items[0] : undefined;
    });
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(503);
    const agent = await startTestAgent(machine, {});
    const second = await until("ready again", () => (statusOf(agent, "client")?.ready === true ? statusOf(agent, "client") : undefined));
    expect(second.envoy.pid).toBe(first.envoy.pid);
    expect(second.certificate).toEqual(first.certificate);
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(503);
  });

  test("a proxy whose services change keeps its Envoy, and the next agent goes on with the newest of them", async () => {
    const machine = await startMachine();
    const { agent, clientPort } = await startPair(machine);
    const pid = statusOf(agent, "client")?.envoy.pid;
    const newest = { ...spec("client"), localPorts: { "added:80": 31_000 }, localAddresses: { added: "127.70.0.1" } };
    await agent.proxies.put(newest);
    const told = () => machine.metadata.get("client.shop")?.["KUMIKO_LOCAL_PORTS"];
    await until("it is told", () => isDeepStrictEqual(told(), newest.localPorts));
    await until("it is connected again", () => statusOf(agent, "client")?.connected);
    expect(statusOf(agent, "client")).toMatchObject({ ready: true, envoy: { pid, restarts: 0 } });
    expect((await fetch(`http://127.0.0.1:${clientPort}/`)).status).toBe(200);
    await agent.close();
    machine.metadata.clear();
    const next = await startTestAgent(machine, {});
    await until("the next one tells it, too", () => machine.metadata.get("client.shop"));
    expect(machine.metadata.get("client.shop")).toMatchObject({ KUMIKO_LOCAL_ADDRESSES: { added: "127.70.0.1" } });
    expect(statusOf(next, "client")?.envoy.pid).toBe(pid);
  });

  test("an agent of another generation ends the Envoys that the earlier one left", async () => {
    const machine = await startMachine();
    const agent = await startTestAgent(machine, { "server.shop": mtlsServer(await freePort(), id("client")) });
    await agent.proxies.put(spec("server"));
    const { envoy } = await until("ready", () => (statusOf(agent, "server")?.ready === true ? statusOf(agent, "server") : undefined));
    await agent.close();
    expect(existsSync(`/proc/${envoy.pid}`)).toBe(true);
    const next = await startTestAgent(machine, {}, "next");
    expect(next.proxies.list()).toEqual([]);
    await until("the Envoy has ended", () => findProcess(envoy.pid ?? 0) === undefined);
  });

  test("certificates that live four seconds are renewed under new TLS handshakes without a failed request", async () => {
    const { agent, clientPort } = await startPair(await startMachine(4000));
    const seen = new Set<string | undefined>();
    let failed = 0;
    await until("four certificates were used", async () => {
      seen.add(statusOf(agent, "client")?.certificate.notAfter);
      if ((await fetch(`http://127.0.0.1:${clientPort}/`)).status !== 200) failed++;
      return seen.size >= 4;
    });
    expect(failed).toBe(0);
  });

  test("without a control plane and without a certificate there is no Envoy, and the reason is told", async () => {
    const machine = await startMachine();
    machine.server.forceShutdown();
    const agent = await startTestAgent(machine, {});
    await agent.proxies.put(spec("server"));
    const status = await until("an error is there", () => {
      const found = statusOf(agent, "server");
      return found?.lastError === undefined ? undefined : found;
    });
    expect(status).toMatchObject({ ready: false, lastError: expect.stringContaining("the control plane signs nothing") });
    expect(status.envoy.pid).toBeUndefined();
  });

  test("a killed Envoy comes back without the control plane, from the last good copy, and says that it is stale", async () => {
    const machine = await startMachine();
    const { agent, clientPort } = await startPair(machine);
    machine.server.forceShutdown();
    const pid = statusOf(agent, "server")?.envoy.pid ?? 0;
    process.kill(pid, "SIGKILL");
    const status = await until("a stale Envoy is ready", () => {
      const found = statusOf(agent, "server");
      return found?.ready === true && found.envoy.pid !== pid ? found : undefined;
    });
    expect(status).toMatchObject({ stale: true, connected: false });
    expect((await fetch(`http://127.0.0.1:${clientPort}/`)).status).toBe(200);
  });

  test("a launch prefix is put before Envoy", async () => {
    const machine = await startMachine();
    const agent = await startTestAgent(machine, { "client.shop": mtlsClient(await freePort(), 1, id("server")) });
    await agent.proxies.put({ ...spec("client"), launch: ["/usr/bin/env", "--chdir=/", "--"] });
    const { envoy } = await until("ready", () => (statusOf(agent, "client")?.ready === true ? statusOf(agent, "client") : undefined));
    expect(readFileSync(`/proc/${envoy.pid}/cmdline`, "utf8")).toContain(envoyPath);
  });

  test("a proxy that drains asks its clients to go and serves on, new connections too, until it is ended", async () => {
    const machine = await startMachine();
    const port = await freePort();
    const agent = await startTestAgent(machine, { "client.shop": mtlsClient(port, 1, id("server")) });
    await agent.proxies.put({ ...spec("client"), type: "router" });
    const { envoy } = await until("ready", () => (statusOf(agent, "client")?.ready === true ? statusOf(agent, "client") : undefined));
    expect(await agent.proxies.drain("shop", "client")).toBe(true);
    for (let request = 0; request < 3; request++) {
      const asked = await fetch(`http://127.0.0.1:${port}/`);
      expect([asked.status, asked.headers.get("connection")]).toEqual([503, "close"]);
    }
    expect(statusOf(agent, "client")).toMatchObject({ ready: false, draining: true });
    expect(await agent.proxies.remove("shop", "client")).toBe(true);
    expect(findProcess(envoy.pid ?? 0)).toBeUndefined();
  });

  test("what is open in a real Envoy is told: connections that are idle, requests under way, and both gone", async () => {
    const { agent, port } = await startHeldUp();
    const open = () => agent.proxies.readOpenWork("shop", "client");
    const socket = connect(port, "127.0.0.1");
    cleanups.push(() => void socket.destroy());
    await until("one is connected", async () => isDeepStrictEqual(await open(), { requests: 0, connections: 1 }));
    socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    await until("a request is under way", async () => isDeepStrictEqual(await open(), { requests: 1, connections: 1 }));
    socket.destroy();
    await until("neither is open", async () => isDeepStrictEqual(await open(), { requests: 0, connections: 0 }));
    expect(await agent.proxies.readOpenWork("shop", "nobody")).toBeUndefined();
  });

  test("an agent that ends with its proxies waits for requests under way, and for no idle connection", async () => {
    const { agent, port } = await startHeldUp();
    const [idle, busy] = [connect(port, "127.0.0.1"), connect(port, "127.0.0.1")];
    cleanups.push(() => void idle.destroy());
    const said = text(busy);
    busy.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    const open = { requests: 1, connections: 2 };
    await until("it is under way", async () => isDeepStrictEqual(await agent.proxies.readOpenWork("shop", "client"), open));
    await agent.close({ stopProxies: true, drainMs: 60_000 });
    expect(await said).toMatch(/^HTTP\/1.1 503 /);
  });

  test("a proxy that could not be started is started by the next try", async () => {
    const machine = await startMachine();
    const agent = await startTestAgent(machine, { "server.shop": mtlsServer(await freePort(), id("client")) });
    const short = createHash("sha256").update("shop/server").digest("hex").slice(0, 8);
    const inTheWay = join(machine.dir, "run", "p", short, "xds.sock");
    const putInVain = async () => {
      mkdirSync(inTheWay, { recursive: true, mode: 0o700 });
      await expect(agent.proxies.put(spec("server"))).rejects.toThrow("xds.sock");
    };
    await putInVain();
    expect(await agent.proxies.remove("shop", "server")).toBe(true);
    expect(agent.proxies.list()).toEqual([]);
    await putInVain();
    rmSync(inTheWay, { recursive: true });
    await agent.proxies.put(spec("server"));
    await until("ready", () => statusOf(agent, "server")?.ready);
  });

  test("a removed proxy leaves no process, socket or key behind", async () => {
    const machine = await startMachine();
    const agent = await startTestAgent(machine, { "server.shop": mtlsServer(await freePort(), id("client")) });
    await agent.proxies.put(spec("server"));
    const { envoy } = await until("ready", () => (statusOf(agent, "server")?.ready === true ? statusOf(agent, "server") : undefined));
    expect(await agent.proxies.remove("shop", "server")).toBe(true);
    // One that has ended stands there until its parent has heard of it.
    await until("no process is left", () => !existsSync(`/proc/${envoy.pid}`));
    expect(readdirSync(join(machine.dir, "run", "p"))).toEqual([]);
    expect(readdirSync(join(machine.dir, "state", "proxies", "shop_server"))).toEqual(["envoy.log"]);
  });

  test("a private key is in the one 0600 file, and in no log, bootstrap, status or dump", async () => {
    const machine = await startMachine();
    const { agent } = await startPair(machine);
    const withKeys = filesUnder(machine.dir).filter((file) => readFileSync(file).includes("PRIVATE KEY"));
    const names = withKeys.map((file) => file.slice(machine.dir.length));
    expect(names.toSorted()).toEqual([
      "/ca/intermediate.key",
      "/ca/root.key",
      "/state/proxies/shop_client/identity.json",
      "/state/proxies/shop_server/identity.json",
    ]);
    for (const file of withKeys) expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(JSON.stringify(agent.proxies.list())).not.toContain("PRIVATE");
  });
});

/** The same agent in a process of its own, with one proxy. */
function startAgentProcess(machine: Machine) {
  const from = (file: string) => JSON.stringify(fileURLToPath(new URL(file, import.meta.url)));
  const script = `
    const { startAgent } = await import(${from("./agent.ts")});
    const { options, spec } = JSON.parse(process.argv[1]);
    await (await startAgent(options)).proxies.put(spec);`;
  const options = {
    runDir: join(machine.dir, "run"),
    stateDir: join(machine.dir, "state"),
    controlPlane: { socket: machine.socket },
    trustDomain: TRUST_DOMAIN,
    envoyPath,
  };
  const given = JSON.stringify({ options, spec: spec("client") });
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script, given], { stdio: "inherit" });
  cleanups.push(() => void child.kill("SIGKILL"));
  return child;
}

function filesUnder(dir: string): readonly string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
